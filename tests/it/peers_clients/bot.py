"""A bot made with mmpy_bot, for client.mjs to talk to: it hears, answers, reacts, uploads, and its own web server takes the clicks.

Every step is asserted; what it sees is printed for the transcript, a line is `PEER ` and a JSON list. `STAGE` says where the server is.
"""

import json
import logging
import os
import socket
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

from mattermostautodriver.exceptions import InvalidOrMissingParameters, NotEnoughPermissions, ResourceNotFound
from mmpy_bot import Bot, Message, Plugin, Settings, WebHookEvent, listen_to, listen_webhook
from mmpy_bot.plugins import HelpPlugin
from mmpy_bot.wrappers import ActionEvent

STAGE = json.loads(os.environ["STAGE"])


def note(text, value):
    print("PEER " + json.dumps(["note", text, value]), flush=True)


def pick(value, *keys):
    if isinstance(value, list):
        return [pick(one, *keys) for one in value]
    return {key: value[key] for key in keys if key in value}


def names(users):
    return sorted(user["username"] for user in users)


class Peer(Plugin):
    """What client.mjs asks for."""

    def __init__(self):
        super().__init__()
        self.reason = ""

    def hook(self, name):
        return f"{self.settings.WEBHOOK_HOST_URL}:{self.settings.WEBHOOK_HOST_PORT}/hooks/{name}"

    @listen_to("^hello bot$")
    async def hello(self, message: Message):
        note("hello bot", [message.sender_name, message.channel_name, message.is_direct_message, message.mentions, message.reply_id == message.id])
        note("the reaction", self.driver.react_to(message, "wave"))
        user = self.driver.get_user_info(message.user_id)
        note("the answer", pick(self.driver.reply_to(message, f"hello {user['username']}"), "message", "root_id", "user_id", "props"))

    @listen_to("^how many are we$")
    def count(self, message: Message):
        """Runs in a thread of its own."""
        thread = self.driver.get_post_thread(message.reply_id)
        assert len(thread["order"]) == 3, thread
        self.driver.reply_to(message, "three posts in this thread")

    @listen_to("can you hear me", needs_mention=True)
    async def mentioned(self, message: Message):
        assert message.mentions == [self.driver.user_id], message.mentions
        self.driver.create_post(message.channel_id, "I was called")

    @listen_to("^send a file$")
    async def send(self, message: Message):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.txt"
            path.write_text("from the bot\n")
            self.driver.reply_to(message, "here it is", file_paths=[path])

    @listen_to("^read this$")
    async def read(self, message: Message):
        (file_id,) = message.file_ids
        info = self.driver.files.get_file_info(file_id)
        content = self.driver.files.get_file(file_id).content
        self.driver.reply_to(message, f"{info['name']} has {len(content)} bytes")

    @listen_to("^think again$")
    async def think(self, message: Message):
        post = self.driver.create_post(message.channel_id, "first thought")
        self.driver.posts.patch_post(post["id"], {"message": "second thought"})
        self.driver.reactions.save_reaction({"user_id": self.driver.user_id, "post_id": post["id"], "emoji_name": "eyes"})
        self.driver.reactions.delete_reaction(self.driver.user_id, post["id"], "eyes")
        assert not self.driver.reactions.get_reactions(post["id"])
        self.driver.posts.pin_post(post["id"])
        self.driver.posts.unpin_post(post["id"])
        note("deleting", self.driver.posts.delete_post(post["id"]))

    @listen_to("^look around$")
    async def look(self, message: Message):
        driver, team, cluster = self.driver, STAGE["team_id"], STAGE["channels"]["cluster"]
        assert driver.username == "halcyon", driver.username
        note("the bot", pick(driver.users.get_user("me"), "username", "is_bot", "roles"))
        assert driver.teams.get_team_by_name(STAGE["team_name"])["id"] == team
        assert driver.channels.get_channel_by_name(team, "cluster")["id"] == cluster
        assert driver.channels.get_channel_by_name_for_team_name(STAGE["team_name"], "cluster")["id"] == cluster
        note("a user", pick(driver.users.get_user_by_username("lead"), "username", "roles"))
        note("users in the channel", names(driver.users.get_users({"in_channel": cluster})))
        note("a search", names(driver.users.search_users({"term": "oper", "team_id": team})))
        note("autocompletion", names(driver.users.autocomplete_users({"in_team": team, "in_channel": cluster, "name": "le"})["users"]))
        note("its teams", [team["id"] for team in driver.teams.get_teams_for_user("me") if team["id"] == STAGE["team_id"]])
        channels = driver.channels.get_channels_for_team_for_user("me", team)
        note("its channels", sorted(one["name"] for one in channels if one["id"] in STAGE["channels"].values()))
        members = [one["user_id"] for one in driver.channels.get_channel_members(cluster)]
        assert STAGE["users"]["lead"] in members and driver.user_id in members, members
        note("a status", pick(driver.status.get_user_status(STAGE["users"]["halcyon"]), "user_id", "manual"))
        note("the newest post", len(driver.posts.get_posts_for_channel(cluster, {"per_page": 1})["order"]))
        note("roles", [role["name"] for role in driver.roles.get_roles_by_names(["channel_user"])])
        assert isinstance(driver.preferences.get_preferences("me"), list)
        note("is it there", driver.system.get_ping()["status"])
        try:
            driver.users.get_user_by_username("nobody-at-all")
            raise AssertionError("there is nobody of this name")
        except ResourceNotFound:
            pass
        try:
            driver.posts.create_post({"channel_id": cluster, "message": "x" * 100_000})
            raise AssertionError("that was too long")
        except InvalidOrMissingParameters:
            pass
        driver.create_post(message.channel_id, "that is all I see")

    @listen_to("^psst$")
    async def whisper(self, message: Message):
        try:
            self.driver.reply_to(message, "psst", ephemeral=True)
        except NotEnoughPermissions:
            self.driver.reply_to(message, "I may not whisper")

    @listen_to("^between us$", direct_only=True)
    async def direct(self, message: Message):
        assert message.is_direct_message and message.team_id == ""
        self.driver.reply_to(message, "nobody hears us")

    @listen_to("^tell me alone$")
    async def alone(self, message: Message):
        self.driver.reply_to(message, "only you", direct=True)

    @listen_to("^deploy (.*)$")
    async def deploy(self, message: Message, what: str):
        context = {"what": what, "key": "secret-of-the-bot"}
        button = lambda name, label, **more: {"id": name, "name": label, "type": "button", "integration": {"url": self.hook(name), "context": context}, **more}
        menu = {
            "id": "where", "name": "Where", "type": "select", "integration": {"url": self.hook("where"), "context": context},
            "options": [{"text": "first", "value": "wn001"}, {"text": "second", "value": "wn002"}],
        }
        actions = [button("approve", "Approve", style="primary"), button("why", "Say why"), button("quiet", "Nothing"), menu]
        text = f"{message.sender_name} wants to deploy {what}"
        attachment = {"fallback": text, "color": "#FF8000", "title": "Approval", "text": "press one", "fields": [{"title": "what", "value": what, "short": True}], "actions": actions}
        self.driver.create_post(message.channel_id, text, props={"attachments": [attachment]})

    def called(self, event):
        """What the web server was told, but for what is another each time."""
        assert isinstance(event, ActionEvent) and len(event.trigger_id) > 26, event.body
        assert event.context["key"] == "secret-of-the-bot" and event.context["what"] == "kernel-6.1", event.body
        assert event.user_name == "lead" and event.user_id == STAGE["users"]["lead"], event.body
        note(f"a call of {event.webhook_id}", {**event.body, "trigger_id": "one"})

    @listen_webhook("^approve$")
    async def approve(self, event: WebHookEvent):
        self.called(event)
        update = {"message": f"{event.context['what']} was approved by {event.user_name}: {self.reason}", "props": {}}
        self.driver.respond_to_web(event, {"update": update, "ephemeral_text": "thank you"})

    @listen_webhook("^where$")
    async def where(self, event: WebHookEvent):
        self.called(event)
        self.driver.respond_to_web(event, {})
        self.driver.create_post(event.channel_id, f"{event.user_name} chose {event.context['selected_option']}")

    @listen_webhook("^why$")
    async def why(self, event: WebHookEvent):
        self.called(event)
        element = {"display_name": "Reason", "name": "reason", "type": "text", "help_text": "in a few words"}
        dialog = {
            "callback_id": "reason", "title": "Say why", "introduction_text": "for the record", "elements": [element],
            "submit_label": "Say", "notify_on_cancel": False, "state": "kept",
        }
        opened = self.driver.integration_actions.open_interactive_dialog({"trigger_id": event.trigger_id, "url": self.hook("reason"), "dialog": dialog})
        note("the dialog is opened", opened)
        self.driver.respond_to_web(event, {})

    @listen_webhook("^reason$")
    async def reasoned(self, event: WebHookEvent):
        note("a submission", {key: value for key, value in event.body.items() if key != "url"})
        self.reason = event.body["submission"]["reason"]
        self.driver.respond_to_web(event, {"errors": {"reason": "too short"}} if len(self.reason) < 5 else {})

    @listen_webhook("^quiet$")
    async def quiet(self, event: WebHookEvent):
        """Answers with an empty page, as mmpy_bot does for a listener that says nothing."""
        self.called(event)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Loud(logging.Handler):
    """A listener that fails is told in a log only; here it is a failure."""

    def emit(self, record):
        print("PEER " + json.dumps(["failed", self.format(record)]), flush=True)


url = urlparse(STAGE["url"])
bot = Bot(
    settings=Settings(
        MATTERMOST_URL=f"{url.scheme}://{url.hostname}",
        MATTERMOST_PORT=url.port,
        SSL_VERIFY=False,
        BOT_TOKEN=os.environ["BOT_TOKEN"],
        BOT_TEAM=STAGE["team_name"],
        WEBHOOK_HOST_ENABLED=True,
        WEBHOOK_HOST_URL="http://127.0.0.1",
        WEBHOOK_HOST_PORT=free_port(),
    ),
    plugins=[Peer(), HelpPlugin()],
)
for quiet in ["asyncio", "mmpy.main", "mmpy.function"]:
    logging.getLogger(quiet).addHandler(Loud(logging.ERROR))
print("PEER " + json.dumps(["started", sys.version_info[:2]]), flush=True)
bot.run()
