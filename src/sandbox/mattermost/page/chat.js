// The sandbox's web chat: an ordinary client of the REST API and the websocket, with a demo user's session.

import { element, glyph, inline, markdown } from "/page/markdown.js";

const parameters = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
const root = document.documentElement;

/// Everything that is shown comes from here.
let state = null;
let socket = null;
let generation = 0;

// ---- the server

async function api(method, path, body, token = state.token) {
  const headers = { Authorization: `Bearer ${token}` };
  const raw = body instanceof FormData;
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/v4${path}`, { method, headers, body: body === undefined ? undefined : raw ? body : JSON.stringify(body) });
  const kind = answer.headers.get("Content-Type") ?? "";
  const content = kind.includes("json") ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Error(content?.message ? `${content.message}${content.detailed_error ? ` (${content.detailed_error})` : ""}` : String(content));
  return content;
}

async function fileContent(id) {
  const answer = await fetch(`/api/v4/files/${id}`, { headers: { Authorization: `Bearer ${state.token}` } });
  if (!answer.ok) throw new Error("the file cannot be read");
  return answer.blob();
}

// ---- start

async function start(user) {
  generation += 1;
  const mine = generation;
  delete root.dataset.settled;
  socket?.close();
  const keep = state ? { channel: channelKey(state.current) } : {};
  const session = await (await fetch(`/page/session?token=${encodeURIComponent(parameters.get("token") ?? "")}&user=${encodeURIComponent(user)}`)).json();
  if (!session.token) throw new Error(session.message);
  const me = await api("GET", "/users/me", undefined, session.token);
  state = {
    token: session.token, me, people: session.people, users: new Map([[me.id, me]]), statuses: new Map(), channels: [], posts: new Map(),
    current: null, unread: new Set(), replyTo: null, pending: new Set(), errors: new Map(), typing: new Map(), folded: new Set(), drafts: new Map(),
  };
  const [team] = await api("GET", "/users/me/teams");
  byId("team").textContent = team?.display_name ?? "Sandbox";
  byId("beside-label").hidden = session.beside.length === 0;
  byId("beside").replaceChildren(...session.beside.map(({ name, path }) => element("li", {}, element("a", { href: `${path}?token=${encodeURIComponent(parameters.get("token") ?? "")}`, target: "_blank", rel: "noreferrer" },
    element("span", { class: "hash", "aria-hidden": "true" }, "✉"), name))));
  await learn(session.bots);
  await learn(await Promise.all(session.people.map(async (name) => (await api("GET", `/users/username/${encodeURIComponent(name)}`)).id)));
  await loadChannels();
  if (mine !== generation) return;
  await listen(mine);
  await open(find(keep.channel ?? parameters.get("channel") ?? "cluster") ?? state.channels[0]);
  if (mine === generation) root.dataset.settled = "yes";
}

async function loadChannels() {
  state.channels = await api("GET", "/users/me/channels");
  state.channels.sort((one, other) => one.name.localeCompare(other.name));
  await learn(state.channels.filter((channel) => channel.type === "D").map(partner));
  renderSidebar();
}

/// The other one in a direct channel.
function partner(channel) {
  const [one, other] = channel.name.split("__");
  return one === state.me.id ? other : one;
}

function find(key) {
  return state.channels.find((channel) => channel.id === key || channel.name === key || channelKey(channel) === key);
}

/// What names a channel in the address: its name, or `@user`.
function channelKey(channel) {
  if (!channel) return undefined;
  return channel.type === "D" ? `@${nameOf(partner(channel))}` : channel.name;
}

async function learn(ids) {
  const unknown = [...new Set(ids)].filter((id) => id && !state.users.has(id));
  if (unknown.length === 0) return;
  for (const user of await api("POST", "/users/ids", unknown)) state.users.set(user.id, user);
  for (const status of await api("POST", "/users/status/ids", unknown)) state.statuses.set(status.user_id, status.status);
}

function nameOf(id) {
  return state.users.get(id)?.username ?? "somebody";
}

async function open(channel) {
  if (!channel) return;
  if (state.current) state.drafts.set(state.current.id, byId("text").value);
  state.current = channel;
  state.unread.delete(channel.id);
  state.replyTo = null;
  state.posts = new Map();
  state.typing.clear();
  byId("posts").replaceChildren();
  byId("text").value = state.drafts.get(channel.id) ?? "";
  closeDrawer();
  renderSidebar();
  renderHead();
  renderComposer();
  await reload();
  const wanted = parameters.get("root");
  const place = wanted && byId("posts").querySelector(`[data-post="${CSS.escape(wanted)}"]`);
  if (place) {
    place.classList.add("wanted");
    place.scrollIntoView({ block: "start" });
  } else {
    toBottom();
  }
}

async function reload() {
  const channel = state.current;
  const page = await api("GET", `/channels/${channel.id}/posts?page=0&per_page=100`);
  if (channel !== state.current) return;
  const whispers = [...state.posts.values()].filter((post) => post.type === "system_ephemeral");
  state.posts = new Map(Object.entries(page.posts));
  for (const post of whispers) state.posts.set(post.id, post);
  await learn(Object.values(page.posts).map((post) => post.user_id));
  renderPosts();
}

// ---- the websocket

function listen(mine) {
  return new Promise((resolve) => {
    let attempts = 0;
    const connect = () => {
      if (mine !== generation) return;
      socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v4/websocket`);
      let seq = 1;
      const beat = setInterval(() => socket.readyState === WebSocket.OPEN && say("ping", {}), 30000);
      const say = (action, data) => socket.send(JSON.stringify({ seq: seq++, action, data }));
      socket.say = say;
      socket.onopen = () => say("authentication_challenge", { token: state.token });
      socket.onmessage = async (message) => {
        if (mine !== generation) return;
        const frame = JSON.parse(message.data);
        if (frame.event === "hello") {
          renderState("");
          if (attempts > 0 && state.current) await reload();
          attempts = 0;
          resolve();
        } else if (frame.event) {
          await hear(frame);
        }
      };
      socket.onclose = () => {
        clearInterval(beat);
        if (mine !== generation) return;
        attempts += 1;
        renderState("Connection lost. Trying again…");
        setTimeout(connect, Math.min(500 * 2 ** attempts, 10000));
      };
    };
    connect();
  });
}

async function hear(frame) {
  const { event, data } = frame;
  const here = () => (data.post ? JSON.parse(data.post) : null);
  switch (event) {
    case "posted": {
      const post = here();
      state.typing.delete(post.user_id);
      await learn([post.user_id]);
      if (post.channel_id === state.current?.id) change(() => state.posts.set(post.id, post));
      else {
        if (!find(post.channel_id)) await loadChannels();
        state.unread.add(post.channel_id);
        renderSidebar();
      }
      renderTyping();
      return;
    }
    case "post_edited":
    case "ephemeral_message": {
      const post = here();
      if (post.channel_id === state.current?.id) change(() => state.posts.set(post.id, post));
      return;
    }
    case "post_deleted": {
      const post = here();
      change(() => {
        for (const other of [...state.posts.values()]) if (other.id === post.id || other.root_id === post.id) state.posts.delete(other.id);
      });
      return;
    }
    case "reaction_added":
    case "reaction_removed": {
      const reaction = JSON.parse(data.reaction);
      const post = state.posts.get(reaction.post_id);
      if (!post) return;
      const others = (post.metadata.reactions ?? []).filter((r) => r.user_id !== reaction.user_id || r.emoji_name !== reaction.emoji_name);
      change(() => { post.metadata.reactions = event === "reaction_added" ? [...others, reaction] : others; });
      return;
    }
    case "typing":
      if (frame.broadcast.channel_id === state.current?.id) {
        state.typing.set(data.user_id, Date.now());
        renderTyping();
        setTimeout(renderTyping, 4000);
      }
      return;
    case "status_change":
      state.statuses.set(data.user_id, data.status);
      renderSidebar();
      return;
    case "direct_added":
    case "channel_created":
    case "user_added":
    case "user_removed":
      await loadChannels();
      return;
    case "open_dialog":
      openDialog(JSON.parse(data.dialog));
      return;
    default:
  }
}

// ---- rendering: new trees are made and the old ones brought to match, so that scrolling, selection and focus survive an edit

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open") && name !== "style") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(old.nodeName === "DETAILS" && name === "open")) old.setAttribute(name, value);
  }
  for (const property of ["--bar", "--hue"]) {
    const value = fresh.style.getPropertyValue(property);
    if (old.style.getPropertyValue(property) !== value) old.style.setProperty(property, value);
  }
  if (fresh.dataset.keep && fresh.dataset.keep === old.dataset.keep) return;
  morphChildren(old, [...fresh.childNodes]);
}

function morphChildren(parent, fresh) {
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  fresh.forEach((node, place) => {
    const at = parent.childNodes[place];
    const key = node.dataset?.key;
    const same = key ? keyed.get(key) : undefined;
    if (same) {
      if (same !== at) parent.insertBefore(same, at ?? null);
      morph(same, node);
    } else if (key || !at || at.dataset?.key) {
      parent.insertBefore(node, at ?? null);
    } else {
      morph(at, node);
    }
  });
  while (parent.childNodes.length > fresh.length) parent.lastChild.remove();
}

function nearBottom() {
  const line = byId("timeline");
  return line.scrollHeight - line.scrollTop - line.clientHeight < 120;
}

function toBottom() {
  byId("timeline").scrollTop = byId("timeline").scrollHeight;
}

let waiting = false;

/// Changes of one frame are drawn together; whoever reads at the bottom stays there.
function change(how) {
  how?.();
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const follow = nearBottom();
    renderPosts();
    if (follow) toBottom();
  });
}

const context = () => ({
  me: state.me.username,
  isUser: (name) => [...state.users.values()].some((user) => user.username === name),
});

const HUES = [205, 262, 335, 18, 160, 228, 290, 85];

function avatar(id, { small = false, shown = null } = {}) {
  const user = shown ? null : state.users.get(id);
  const name = shown ?? user?.username ?? "?";
  const hue = HUES[[...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES.length];
  const made = element("span", { class: `avatar${user?.is_bot ? " bot" : ""}${small ? " small" : ""}`, "aria-hidden": "true" }, name.slice(0, 2).toUpperCase());
  made.style.setProperty("--hue", hue);
  return made;
}

function clock(time) {
  const date = new Date(time);
  const text = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return element("time", { datetime: date.toISOString(), title: date.toLocaleString("en-GB") }, text);
}

function renderPosts() {
  const all = [...state.posts.values()].filter((post) => !post.delete_at && post.channel_id === state.current.id);
  all.sort((one, other) => one.create_at - other.create_at);
  const roots = all.filter((post) => !post.root_id || !state.posts.has(post.root_id));
  const replies = Map.groupBy(all.filter((post) => post.root_id), (post) => post.root_id);
  const nodes = [];
  let day = "";
  let previous = null;
  for (const post of roots) {
    const date = new Date(post.create_at).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
    if (date !== day) {
      nodes.push(element("li", { class: "day", "data-key": `day ${date}` }, element("span", {}, date)));
      day = date;
      previous = null;
    }
    const thread = replies.get(post.id) ?? [];
    const joined = previous !== null && previous.user_id === post.user_id && post.create_at - previous.create_at < 300000 && !post.type
      && !previous.type && !previous.props.from_webhook && !post.props.from_webhook;
    nodes.push(renderPost(post, thread, joined));
    previous = thread.length > 0 ? null : post;
  }
  if (nodes.length === 0) nodes.push(element("li", { class: "empty", "data-key": "empty" }, "Nothing has been said here yet."));
  const list = byId("posts");
  const wanted = list.querySelector(".wanted")?.dataset.post;
  morphChildren(list, nodes);
  if (wanted) list.querySelector(`[data-post="${CSS.escape(wanted)}"]`)?.classList.add("wanted");
  loadImages();
}

function renderPost(post, thread, joined) {
  const body = renderBody(post);
  if (post.type?.startsWith("system_") && post.type !== "system_ephemeral") {
    return element("li", { class: "post system", "data-key": post.id, "data-post": post.id }, element("div", { class: "content" }, body));
  }
  const user = state.users.get(post.user_id);
  const whisper = post.type === "system_ephemeral";
  const override = post.props.from_webhook ? post.props.override_username || null : null;
  const shown = override ?? (whisper ? "Only you can see this" : nameOf(post.user_id));
  const tag = post.props.from_webhook ? "webhook" : user?.is_bot ? "bot" : null;
  const head = element("p", { class: "who" },
    element("b", {}, shown), tag && element("span", { class: "tag" }, tag), clock(post.create_at), post.is_pinned ? element("span", { class: "tag" }, "pinned") : null);
  const folded = state.folded.has(post.id);
  const people = [...new Set(thread.map((reply) => reply.user_id))];
  const replies = thread.length === 0 ? null : element("section", { class: "thread", "data-key": `thread ${post.id}` },
    element("button", { type: "button", class: "fold", "data-do": "fold", "data-post": post.id, "aria-expanded": String(!folded) },
      element("span", { class: "faces" }, ...people.slice(0, 3).map((id) => avatar(id, { small: true }))),
      element("span", {}, thread.length === 1 ? "1 reply" : `${thread.length} replies`), element("span", { class: "arrow", "aria-hidden": "true" }, folded ? "▸" : "▾")),
    folded ? null : element("ol", {}, ...thread.map((reply, number) => {
      const before = thread[number - 1];
      return renderPost(reply, [], Boolean(before) && before.user_id === reply.user_id && !reply.type && reply.create_at - before.create_at < 300000);
    })));
  const classes = ["post", joined && "joined", whisper && "whisper", mentionsMe(post) && "mine"].filter(Boolean).join(" ");
  return element("li", { class: classes, "data-key": post.id, "data-post": post.id },
    joined ? element("span", { class: "gutter" }, clock(post.create_at)) : avatar(post.user_id, { shown: override }),
    element("div", { class: "content" }, joined ? null : head, body, renderTools(post), replies));
}

function mentionsMe(post) {
  return post.user_id !== state.me.id && new RegExp(`(^|[^\\w@])@(${state.me.username}|all|channel|here)\\b`, "i").test(post.message.replace(/```[\s\S]*?```|`[^`]*`/g, ""));
}

function renderBody(post) {
  const text = markdown(post.message, context());
  if (post.edit_at) {
    const mark = element("span", { class: "edited", title: new Date(post.edit_at).toLocaleString("en-GB") }, "(edited)");
    const last = text.at(-1);
    if (last?.nodeName === "P") last.append(" ", mark);
    else if (text.length > 0 || !post.props.attachments) text.push(element("p", { class: "after" }, mark));
  }
  return element("div", { class: "body" },
    element("div", { class: "text" }, ...text),
    ...(post.props.attachments ?? []).map((attachment, number) => renderAttachment(post, attachment, number)),
    ...(post.metadata?.files ?? []).map(renderFile),
    renderReactions(post));
}

const BARS = { good: "#2e8b57", warning: "#c98a00", danger: "#c62f3d" };

function renderAttachment(post, attachment, number) {
  const parts = [];
  if (attachment.author_name) parts.push(element("p", { class: "author" }, attachment.author_name));
  if (attachment.title) {
    const title = attachment.title_link ? inline(`[${attachment.title.replace(/[[\]\\]/g, "\\$&")}](${attachment.title_link})`, context()) : inline(attachment.title, context());
    parts.push(element("h4", {}, ...title));
  }
  if (attachment.text) parts.push(element("div", { class: "text" }, ...markdown(attachment.text, context())));
  const fields = attachment.fields ?? [];
  if (fields.length > 0) {
    parts.push(element("dl", {}, ...fields.map((field) => element("div", { class: field.short ? "short" : null },
      element("dt", {}, ...inline(String(field.title ?? ""), context())), element("dd", {}, ...markdown(String(field.value ?? ""), context()))))));
  }
  const actions = attachment.actions ?? [];
  if (actions.length > 0) parts.push(element("div", { class: "actions" }, ...actions.map((action) => renderAction(post, action))));
  const failed = state.errors.get(post.id);
  if (failed && actions.some((action) => action.id === failed.action)) parts.push(element("p", { class: "failed", role: "alert" }, failed.text));
  if (attachment.footer) parts.push(element("p", { class: "footer" }, attachment.footer));
  const bar = BARS[attachment.color] ?? (/^#[0-9a-f]{3,8}$/i.test(attachment.color ?? "") ? attachment.color : "");
  const card = element("div", { class: "card", "data-key": `card ${number}` }, ...parts);
  card.style.setProperty("--bar", bar);
  if (!attachment.pretext) return card;
  return element("div", { "data-key": `card ${number}` }, element("div", { class: "text" }, ...markdown(attachment.pretext, context())), card);
}

function renderAction(post, action) {
  const busy = state.pending.has(`${post.id} ${action.id}`);
  if (action.type === "select") {
    return element("select", { "data-do": "choose", "data-post": post.id, "data-action": action.id, "aria-label": action.name, disabled: busy },
      element("option", { value: "" }, action.name),
      ...(action.options ?? []).map((option) => element("option", { value: option.value }, option.text)));
  }
  const known = ["primary", "good", "success", "warning", "danger"].includes(action.style) ? action.style : "plain";
  return element("button", { type: "button", class: `press ${known}${busy ? " busy" : ""}`, "data-do": "press", "data-post": post.id, "data-action": action.id,
    disabled: busy || action.disabled === true }, ...inline(action.name ?? "", context()));
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function renderFile(file) {
  const text = /^text\/|json|yaml/.test(file.mime_type);
  const image = /^image\//.test(file.mime_type);
  return element("div", { class: "file", "data-key": `file ${file.id}` },
    element("span", { class: "sheet", "aria-hidden": "true" }, (file.extension || "file").slice(0, 4)),
    element("span", { class: "name" }, element("b", {}, file.name), element("span", {}, size(file.size))),
    element("span", { class: "doing" },
      text ? element("button", { type: "button", "data-do": "preview", "data-file": file.id, "aria-expanded": "false" }, "Preview") : null,
      element("button", { type: "button", "data-do": "download", "data-file": file.id, "data-name": file.name }, "Download")),
    text || image ? element("div", { class: image ? "picture" : "preview", "data-keep": file.id, "data-name": file.name }) : null);
}

function renderReactions(post) {
  const counted = Map.groupBy(post.metadata?.reactions ?? [], (reaction) => reaction.emoji_name);
  if (counted.size === 0) return null;
  return element("div", { class: "reactions" }, ...[...counted].map(([name, reactions]) => {
    const own = reactions.some((reaction) => reaction.user_id === state.me.id);
    const who = reactions.map((reaction) => nameOf(reaction.user_id)).join(", ");
    return element("button", { type: "button", class: own ? "own" : null, "data-do": "react", "data-post": post.id, "data-emoji": name,
      "aria-pressed": String(own), title: `${who}: ${name}`, "aria-label": `${name}, ${reactions.length}` },
      element("span", { class: "emoji" }, glyph(name) ?? `:${name}:`), element("span", {}, String(reactions.length)));
  }));
}

function renderTools(post) {
  if (post.type) return null;
  return element("div", { class: "tools" },
    ...["white_check_mark", "eyes", "x"].map((name) => element("button", { type: "button", "data-do": "react", "data-post": post.id, "data-emoji": name, title: `:${name}:`, "aria-label": `React with ${name}` }, glyph(name))),
    element("button", { type: "button", "data-do": "reply", "data-post": post.root_id || post.id, title: "Reply in the thread" }, "Reply"));
}

async function loadImages() {
  for (const place of document.querySelectorAll(".picture:empty")) {
    const blob = await fileContent(place.dataset.keep);
    const image = element("img", { alt: place.dataset.name });
    image.src = URL.createObjectURL(blob);
    // It may have been asked for twice meanwhile.
    place.replaceChildren(image);
  }
}

function renderSidebar() {
  const rooms = state.channels.filter((channel) => channel.type !== "D");
  byId("channels").replaceChildren(...rooms.map((channel) => entry(channel, element("span", { class: "hash", "aria-hidden": "true" }, channel.type === "P" ? "⚿" : "#"), channel.name)));
  const others = [...state.users.values()].filter((user) => user.id !== state.me.id && (user.is_bot || state.people.includes(user.username)));
  others.sort((one, other) => Number(Boolean(other.is_bot)) - Number(Boolean(one.is_bot)) || one.username.localeCompare(other.username));
  byId("directs").replaceChildren(...others.map((user) => {
    const channel = state.channels.find((one) => one.type === "D" && partner(one) === user.id);
    const dot = element("span", { class: `dot ${state.statuses.get(user.id) ?? "offline"}`, title: state.statuses.get(user.id) ?? "offline" });
    return entry(channel ?? { id: `new ${user.id}` }, dot, user.username, user.id);
  }));
  byId("people").replaceChildren(...state.people.slice(0, 6).map((name) => {
    const user = [...state.users.values()].find((one) => one.username === name);
    const mine = name === state.me.username;
    return element("button", { type: "button", "data-user": name, "aria-pressed": String(mine) }, user ? avatar(user.id, { small: true }) : null, element("span", {}, name));
  }));
  const unread = state.unread.size > 0;
  byId("menu").classList.toggle("unread", unread);
}

function entry(channel, mark, name, user) {
  const current = channel.id === state.current?.id;
  return element("li", {}, element("button", { type: "button", "data-channel": user ? null : channel.id, "data-direct": user ?? null, "aria-current": current ? "true" : null,
    class: state.unread.has(channel.id) ? "unread" : null }, mark, element("span", {}, name)));
}

function renderHead() {
  const channel = state.current;
  const direct = channel.type === "D";
  byId("title").textContent = direct ? nameOf(partner(channel)) : channel.name;
  byId("title").classList.toggle("direct", direct);
  byId("about").textContent = direct ? "Direct message" : "";
  document.title = `${byId("title").textContent} · Sandbox chat`;
}

function renderState(text) {
  byId("state").textContent = text;
}

function renderComposer() {
  const replying = byId("replying");
  const to = state.replyTo && state.posts.get(state.replyTo);
  replying.hidden = !to;
  if (to) replying.querySelector("span").textContent = `Reply to ${nameOf(to.user_id)}: ${to.message.slice(0, 60) || "…"}`;
  const name = state.current.type === "D" ? `@${nameOf(partner(state.current))}` : state.current.name;
  byId("text").placeholder = to ? "Reply in the thread" : `Write to ${name}`;
  fit();
}

function renderTyping() {
  const now = Date.now();
  const names = [...state.typing].filter(([, time]) => now - time < 3900).map(([id]) => nameOf(id));
  byId("typing").textContent = names.length === 0 ? "" : `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing…`;
}

// ---- what people do

function fit() {
  const box = byId("text");
  const follow = nearBottom();
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
  if (follow) toBottom();
}

async function send() {
  const box = byId("text");
  const message = box.value.trim();
  if (!message) return;
  const post = { channel_id: state.current.id, message, root_id: state.replyTo ?? "", pending_post_id: `${state.me.id}:${Date.now()}` };
  box.value = "";
  state.replyTo = null;
  renderComposer();
  try {
    const made = await api("POST", "/posts", post);
    if (made.channel_id === state.current.id && !state.posts.has(made.id)) change(() => state.posts.set(made.id, made));
    renderState("");
    requestAnimationFrame(() => requestAnimationFrame(toBottom));
  } catch (error) {
    box.value = message;
    renderState(error.message);
    fit();
  }
}

async function press(post, action, option) {
  const key = `${post} ${action}`;
  change(() => { state.pending.add(key); state.errors.delete(post); });
  try {
    await api("POST", `/posts/${post}/actions/${encodeURIComponent(action)}`, { selected_option: option ?? "" });
  } catch (error) {
    state.errors.set(post, { action, text: `That did not work. ${error.message}` });
  }
  change(() => state.pending.delete(key));
}

async function react(post, emoji) {
  const own = (state.posts.get(post)?.metadata?.reactions ?? []).some((reaction) => reaction.user_id === state.me.id && reaction.emoji_name === emoji);
  if (own) await api("DELETE", `/users/me/posts/${post}/reactions/${encodeURIComponent(emoji)}`);
  else await api("POST", "/reactions", { user_id: state.me.id, post_id: post, emoji_name: emoji });
}

async function preview(button) {
  const place = button.closest(".file").querySelector(".preview");
  if (place.childNodes.length > 0) {
    place.replaceChildren();
  } else {
    const text = await (await fileContent(button.dataset.file)).text();
    const most = 64 * 1024;
    place.replaceChildren(element("pre", { tabindex: "0" }, text.slice(0, most)), text.length > most ? element("p", {}, "The rest is in the file.") : "");
  }
  button.setAttribute("aria-expanded", String(place.childNodes.length > 0));
}

async function download(button) {
  const address = URL.createObjectURL(await fileContent(button.dataset.file));
  const anchor = element("a", { href: address, download: button.dataset.name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function openDirect(user) {
  let channel = state.channels.find((one) => one.type === "D" && partner(one) === user);
  if (!channel) {
    channel = await api("POST", "/channels/direct", [state.me.id, user]);
    await loadChannels();
    channel = find(channel.id);
  }
  await open(channel);
}

function openDialog({ url, dialog }) {
  const form = byId("dialog").querySelector("form");
  const fields = (dialog.elements ?? []).map((field) => {
    const common = { name: field.name, placeholder: field.placeholder || null, required: !field.optional && field.type !== "bool" };
    let input;
    if (field.type === "textarea") input = element("textarea", { ...common, rows: "4" }, field.default ?? "");
    else if (field.type === "select" || field.type === "radio") input = element("select", common, ...(field.default ? [] : [element("option", { value: "" }, field.placeholder || (field.optional ? "(none)" : "Choose …"))]), ...(field.options ?? []).map((option) => element("option", { value: option.value, selected: option.value === field.default }, option.text)));
    else if (field.type === "bool") input = element("input", { type: "checkbox", name: field.name, checked: field.default === "true" });
    else input = element("input", { ...common, type: field.subtype === "password" ? "password" : "text", value: field.default ?? null, maxlength: field.max_length || null });
    return element("label", {}, element("span", {}, field.display_name ?? field.name), input, field.help_text ? element("small", {}, field.help_text) : null, element("em", { "data-error": field.name }));
  });
  form.replaceChildren(element("h2", {}, dialog.title ?? "…"), ...(dialog.introduction_text ? [element("div", { class: "text" }, ...markdown(dialog.introduction_text, context()))] : []), ...fields,
    element("em", { "data-error": "" }), element("div", { class: "actions" }, element("button", { type: "button", class: "press plain", value: "no" }, "Cancel"), element("button", { type: "submit", class: "press primary" }, dialog.submit_label || "Submit")));
  const answer = (submission, cancelled) => api("POST", "/actions/dialogs/submit", {
    url, callback_id: dialog.callback_id ?? "", state: dialog.state ?? "", channel_id: state.current.id, team_id: state.current.team_id, submission, cancelled,
  });
  form.querySelector("[value=no]").onclick = async () => {
    byId("dialog").close();
    if (dialog.notify_on_cancel) await answer(null, true);
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const submission = {};
    for (const field of dialog.elements ?? []) {
      const input = form.elements[field.name];
      submission[field.name] = input.type === "checkbox" ? input.checked : input.value;
    }
    const show = (name, text) => { const place = form.querySelector(`[data-error="${CSS.escape(name)}"]`); if (place) place.textContent = text; };
    form.querySelectorAll("[data-error]").forEach((place) => { place.textContent = ""; });
    try {
      const result = await answer(submission, false);
      for (const [name, text] of Object.entries(result.errors ?? {})) show(name, text);
      if (result.error) show("", result.error);
      if (!result.error && Object.keys(result.errors ?? {}).length === 0) byId("dialog").close();
    } catch (error) {
      show("", error.message);
    }
  };
  byId("dialog").showModal();
}

function closeDrawer() {
  document.body.classList.remove("drawer");
  byId("scrim").hidden = true;
}

byId("menu").onclick = () => {
  document.body.classList.add("drawer");
  byId("scrim").hidden = false;
  byId("sidebar").querySelector("[aria-current]")?.focus();
};
byId("scrim").onclick = closeDrawer;
document.addEventListener("keydown", (event) => event.key === "Escape" && closeDrawer());

const complain = (error) => renderState(error.message);

byId("sidebar").onclick = (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.user && button.dataset.user !== state.me.username) start(button.dataset.user).catch(complain);
  else if (button.dataset.channel) open(find(button.dataset.channel)).catch(complain);
  else if (button.dataset.direct) openDirect(button.dataset.direct).catch(complain);
};

byId("posts").onclick = (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  const { post, action, emoji } = button.dataset;
  switch (button.dataset.do) {
    case "fold":
      change(() => (state.folded.has(post) ? state.folded.delete(post) : state.folded.add(post)));
      break;
    case "press":
      press(post, action);
      break;
    case "react":
      react(post, emoji).catch(complain);
      break;
    case "reply":
      state.replyTo = post;
      renderComposer();
      byId("text").focus();
      break;
    case "preview":
      preview(button).catch(complain);
      break;
    case "download":
      download(button).catch(complain);
      break;
    default:
  }
};

byId("posts").onchange = (event) => {
  const menu = event.target.closest("select[data-do=choose]");
  if (menu?.value) {
    press(menu.dataset.post, menu.dataset.action, menu.value);
    menu.value = "";
  }
};

byId("composer").onsubmit = (event) => {
  event.preventDefault();
  send();
};
byId("no-reply").onclick = () => {
  state.replyTo = null;
  renderComposer();
};

/// The server tells nobody about the status of others: clients ask.
setInterval(async () => {
  if (!state || document.hidden) return;
  const asked = state;
  try {
    for (const status of await api("POST", "/users/status/ids", [...asked.users.keys()])) asked.statuses.set(status.user_id, status.status);
    if (asked === state) renderSidebar();
  } catch {
    // The connection's own state says enough.
  }
}, 10000);

let said = 0;
byId("text").oninput = () => {
  fit();
  if (Date.now() - said > 3000 && socket?.readyState === WebSocket.OPEN) {
    said = Date.now();
    socket.say("user_typing", { channel_id: state.current.id, parent_id: state.replyTo ?? "" });
  }
};
byId("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
};

start(parameters.get("user") ?? "operator").catch((error) => {
  renderState(error.message);
  root.dataset.settled = "failed";
});
