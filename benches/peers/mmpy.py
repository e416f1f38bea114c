"""mmpy_bot with one plugin that answers a line with one post."""

import os
from urllib.parse import urlparse

from mmpy_bot import Bot, Message, Plugin, Settings, listen_to


class Bench(Plugin):
    @listen_to("^!whoami$")
    async def whoami(self, message: Message):
        self.driver.create_post(message.channel_id, "You are **operator**; you may do this and that here.")


# mmpy_bot prefers an environment variable of this name to what it is given, and adds the port to it.
url = urlparse(os.environ.pop("MATTERMOST_URL"))
settings = Settings(
    MATTERMOST_URL=f"{url.scheme}://{url.hostname}",
    MATTERMOST_PORT=url.port,
    SSL_VERIFY=False,
    BOT_TOKEN=os.environ["MATTERMOST_TOKEN"],
    BOT_TEAM="ops",
    LOG_LEVEL=40,
)
Bot(settings=settings, plugins=[Bench()]).run()
