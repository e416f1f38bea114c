// What `@mattermost/client` sees of a server, and what it does there: two people, one of them on two lines, and a bot (bot.py) that they talk to.
//
// Every step is asserted, and what was seen is printed for the transcript: a line is `PEER ` and a JSON list. `STAGE` says where the server is
// and who is on it; the working directory is the one with the node_modules.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { Client4, WebSocketClient } = require('@mattermost/client');
// The client takes the browser's; Node 18 has none.
globalThis.WebSocket = require('ws');

const stage = JSON.parse(process.env.STAGE);
const { team_id: team, users, channels } = stage;
const cluster = channels.cluster;
// What the client says is no line of the transcript.
console.log = console.error;

const print = (...line) => process.stdout.write(`PEER ${JSON.stringify(line)}\n`);
const title = (text) => print('title', text);
const note = (text, value) => print('note', text, value);
const name = (id, given) => { print('name', id, given); return id; };

const pick = (value, ...keys) => {
    if (Array.isArray(value)) {
        return value.map((one) => pick(one, ...keys));
    }
    return Object.fromEntries(keys.filter((key) => key in value).map((key) => [key, value[key]]));
};

/// A call that must be good; what it gives is noted, or the part of it that `shown` gives.
async function sees(text, promise, shown = (value) => value) {
    const value = await promise;
    note(text, shown(value));
    return value;
}

/// A call that must be refused.
async function refused(text, promise, status, id) {
    const error = await promise.then(() => undefined, (problem) => problem);
    assert.ok(error, `${text}: it was not refused`);
    note(text, { status_code: error.status_code, server_error_id: error.server_error_id });
    assert.equal(error.status_code, status, `${text}: ${error.message}`);
    if (id) {
        assert.equal(error.server_error_id, id);
    }
}

/// A REST client of somebody.
function client() {
    const made = new Client4();
    made.setUrl(stage.url);
    made.setIncludeCookies(false);
    return made;
}

/// What events carry as JSON in a string.
const inner = (event, key) => JSON.parse(event.data[key]);
const postOf = (event) => inner(event, 'post');

/// A websocket of somebody, with all that it heard and nobody has asked for yet.
class Ear {
    constructor(rest, who, config) {
        this.who = who;
        this.events = [];
        this.names = new Set();
        this.waiting = [];
        this.gaps = 0;
        this.reconnects = 0;
        this.socket = new WebSocketClient({ minWebSocketRetryTime: 1500, reconnectJitterRange: 50, ...config });
        this.socket.addMessageListener((event) => {
            this.events.push(event);
            this.names.add(event.event);
            this.waiting.forEach((look) => look());
        });
        this.socket.addMissedMessageListener(() => { this.gaps += 1; });
        this.socket.addReconnectListener(() => { this.reconnects += 1; });
        this.socket.addErrorListener((event) => console.error(who, event.message));
        const url = `${rest.getBaseRoute().replace('http', 'ws')}/websocket`;
        this.socket.initialize(url, config?.newWebSocketFn ? undefined : rest.getToken());
    }

    /// The first event of this name that is as wished.
    async hears(event, wished = () => true) {
        const found = () => {
            const place = this.events.findIndex((one) => one.event === event && wished(one));
            return place < 0 ? undefined : this.events.splice(place, 1)[0];
        };
        let timer;
        const late = new Promise((_, reject) => {
            const end = () => {
                const heard = this.events.map((one) => `${one.event} ${JSON.stringify(one.data)}`).join('\n  ');
                reject(new Error(`${this.who} hears no such ${event}; there is\n  ${heard}`));
            };
            timer = setTimeout(end, 120_000);
        });
        const come = new Promise((resolve) => {
            const look = () => {
                const one = found();
                if (one) {
                    this.waiting = this.waiting.filter((other) => other !== look);
                    resolve(one);
                }
            };
            this.waiting.push(look);
            look();
        });
        return Promise.race([come, late]).finally(() => clearTimeout(timer));
    }

    /// The same, noted.
    async notes(event, wished) {
        const heard = await this.hears(event, wished);
        note(`    ${this.who} hears`, { event: heard.event, data: heard.data, broadcast: heard.broadcast });
        return heard;
    }

    /// The answer to an action.
    async asks(action, data) {
        return new Promise((resolve) => this.socket.sendMessage(action, data, resolve));
    }
}

const of = (post) => (event) => postOf(event).id === post.id;
const says = (text) => (event) => postOf(event).message.includes(text);
const by = (user, text) => (event) => postOf(event).user_id === users[user] && postOf(event).message.includes(text);
const ours = (list) => list.filter((one) => Object.values(channels).includes(one.channel_id ?? one.id));
const named = (list) => list.map((one) => one.name ?? one.username).sort();

const lead = client();
const operator = client();

async function login() {
    title('login');
    await refused('a wrong password', lead.login('lead', 'not this one'), 401);
    await refused('before any login', lead.getMe(), 401, 'api.context.session_expired.app_error');
    const me = await sees('lead logs in', lead.login('lead', stage.password));
    assert.equal(me.id, users.lead);
    assert.equal(lead.getToken().length, 26);
    assert.deepEqual((await operator.login('operator', stage.password)).id, users.operator);
    await sees('who lead is', lead.getMe());
    assert.match(lead.getServerVersion(), /^\d+\.\d+\.\d+\./);
    const other = client();
    await other.login('lead', stage.password);
    assert.equal((await other.logout()).ok, true);
    assert.equal(other.getToken(), '');
}

async function start() {
    title('what a client asks for when it starts');
    const config = await lead.getClientConfig();
    note('the configuration', pick(config, 'MaxPostSize', 'EnableFileAttachments', 'PostEditTimeLimit', 'BuildEnterpriseReady', 'EnableUserTypingMessages',
        'TimeBetweenUserTypingUpdatesMilliseconds', 'RestrictDirectMessage', 'TeammateNameDisplay'));
    assert.ok(Number(config.MaxPostSize) >= 4000);
    const nobody = client();
    assert.equal((await nobody.getClientConfig()).MaxPostSize, undefined);
    await sees('the licence', lead.getClientLicenseOld());
    await sees('the server is there', lead.ping(false), (answer) => pick(answer, 'status'));
    const roles = await lead.getRolesByNames(['system_user', 'team_user', 'channel_user', 'nobody_has_it']);
    note('roles', roles.sort((one, other) => (one.name < other.name ? -1 : 1)).map((role) => ({ ...role, permissions: role.permissions.length > 0 })));
    assert.ok(roles.find((role) => role.name === 'channel_user').permissions.includes('create_post'));
    await sees('a role by name', lead.getRoleByName('channel_user'), (role) => pick(role, 'name', 'scheme_managed', 'built_in'));
    await sees('preferences', lead.getMyPreferences(), (list) => list.filter((one) => one.category === 'peers'));
    const mine = (await lead.getMyTeams()).filter((one) => one.id === team);
    note('my teams', mine.map((one) => ({ ...one, invite_id: one.invite_id.length })));
    await sees('my memberships', lead.getMyTeamMembers(), (list) => list.filter((one) => one.team_id === team));
    await sees('what is unread in teams', lead.getMyTeamUnreads(), (list) => Array.isArray(list));
    await sees('my channels', lead.getMyChannels(team), (list) => ours(list).filter((one) => one.name === 'cluster').map((one) => pick(one,
        'id', 'team_id', 'type', 'display_name', 'name', 'header', 'purpose', 'delete_at', 'extra_update_at', 'scheme_id', 'props')));
    await sees('their names', lead.getMyChannels(team), (list) => ours(list).map((one) => one.display_name));
    await sees('my memberships in them', lead.getMyChannelMembers(team), (list) => ours(list).filter((one) => one.channel_id === cluster).map((one) => ({
        ...one, mention_count: 'some', mention_count_root: 'some', msg_count: 'some', msg_count_root: 'some',
    })));
    await sees('the side bar', lead.getChannelCategories('me', team), (list) => list.categories.map((one) => pick(one, 'type', 'display_name', 'sorting')));
    await sees('emoji of the site', lead.getCustomEmojis(), (list) => list.filter((one) => one.name.startsWith('peers')));
    await sees('slash commands', lead.getAutocompleteCommandsList(team), (list) => Array.isArray(list));
    await sees('how many users', lead.getTotalUsersStats(), (stats) => stats.total_users_count > 3);
}

async function lookups() {
    title('looking things up');
    await sees('a user by name', lead.getUserByUsername('operator'));
    await refused('an unknown user', lead.getUserByUsername('nobody-at-all'), 404, 'app.user.get_by_username.app_error');
    await sees('a bot', lead.getUser(users.halcyon));
    await sees('users by id', lead.getProfilesByIds([users.operator, users.guest]), named);
    await sees('users by name', lead.getProfilesByUsernames(['guest', 'halcyon', 'nobody-at-all']), named);
    await sees('users of the team', lead.getProfilesInTeam(team), (list) => list.map((one) => one.username));
    await sees('two of them', lead.getProfilesInTeam(team, 1, 2), (list) => list.map((one) => one.username));
    await sees('users in a channel', lead.getProfilesInChannel(channels.secret), (list) => list.map((one) => one.username));
    await sees('users not in it', lead.getProfilesNotInChannel(team, channels.secret, false), (list) => list.map((one) => one.username));
    await sees('autocompletion', lead.autocompleteUsers('op', team, cluster), (found) => ({ in: named(found.users), out: found.out_of_channel && named(found.out_of_channel) }));
    await sees('in a channel of few', lead.autocompleteUsers('', team, channels.secret), (found) => ({ in: named(found.users), out: found.out_of_channel && named(found.out_of_channel) }));
    await sees('in a team', lead.autocompleteUsers('l', team, ''), (found) => Object.keys(found).sort().concat(named(found.users)));
    await sees('a search for users', lead.searchUsers('halc', { team_id: team }), named);
    await sees('one that finds nothing', lead.searchUsers('nobody-at-all', { team_id: team }), named);
    await sees('one in a channel', lead.searchUsers('e', { team_id: team, in_channel_id: channels.secret }), named);
    await refused('one for nothing', lead.searchUsers('', {}), 400);
    await sees('who is in a team by id', lead.getTeamMembersByIds(team, [users.guest]));
    await sees('the team by name', lead.getTeamByName(stage.team_name), (one) => pick(one, 'id', 'name', 'type'));
    await sees('the team by id', lead.getTeam(team), (one) => pick(one, 'id', 'name', 'type'));
    await sees('whether there is such a team', lead.checkIfTeamExists('nowhere-at-all'));
    await sees('how many are in it', lead.getTeamStats(team), (stats) => stats);
    await sees('a channel by name', lead.getChannelByName(team, 'cluster'), (one) => pick(one, 'id', 'name', 'display_name', 'type'));
    await sees('by both names', lead.getChannelByNameAndTeamName(stage.team_name, 'cluster'), (one) => pick(one, 'id', 'name', 'type'));
    await refused('an unknown one', lead.getChannelByName(team, 'nowhere'), 404, 'app.channel.get_by_name.missing.app_error');
    await sees('open channels', lead.getChannels(team), (list) => named(ours(list)));
    await sees('autocompletion of channels', lead.autocompleteChannels(team, 'clu'), named);
    await sees('a search for channels', lead.searchChannels(team, 'clus'), named);
    await sees('members of a channel', lead.getChannelMembers(channels.secret), (list) => list.filter((one) => one.user_id === users.lead).map((one) => pick(one, 'user_id', 'roles', 'scheme_user')));
    await sees('some of them by id', lead.getChannelMembersByIds(cluster, [users.guest]), (list) => list.map((one) => pick(one, 'user_id', 'roles', 'scheme_user')));
    await sees('its numbers', lead.getChannelStats(channels.secret, true));
    await sees('the time zones in it', lead.getChannelTimezones(cluster));
    await sees('bots', lead.getBot(users.halcyon).catch((problem) => ({ refused: problem.status_code })));
}

async function preferences() {
    title('preferences');
    const mine = [{ user_id: users.lead, category: 'peers', name: 'colour', value: 'blue' }];
    const here = (list) => list.filter((one) => one.category === 'peers');
    await sees('saved', lead.savePreferences('me', mine));
    await sees('there', lead.getMyPreferences(), here);
    await sees('deleted', lead.deletePreferences('me', mine));
    await sees('gone', lead.getMyPreferences(), here);
    await refused('those of others', lead.savePreferences(users.operator, mine), 403);
}

async function presence(ears) {
    title('presence and typing');
    const status = (one) => pick(one, 'user_id', 'status', 'manual');
    await sees('lead is busy', lead.updateStatus({ user_id: users.lead, status: 'dnd' }), status);
    await ears.lead.notes('status_change', (event) => event.data.status === 'dnd');
    await sees('which is known', operator.getStatusesByIds([users.lead]), (list) => list.map(status));
    const reply = await ears.operator.asks('get_statuses_by_ids', { user_ids: [users.lead] });
    note('on the websocket', pick(reply, 'status', 'data'));
    await sees('lead is back', lead.updateStatus({ user_id: users.lead, status: 'online' }), status);
    await ears.lead.notes('status_change', (event) => event.data.status === 'online');
    await sees('one status', operator.getStatus(users.lead), status);
    await refused('that of others', operator.updateStatus({ user_id: users.lead, status: 'away' }), 403);
    ears.lead.socket.userTyping(cluster, '');
    await ears.operator.notes('typing', (event) => event.data.user_id === users.lead);
    const unknown = await ears.lead.asks('dance', {});
    note('an unknown action', pick(unknown.error, 'id', 'status_code'));
    assert.equal((await ears.lead.asks('ping')).data.text, 'pong');
}

async function posts(ears) {
    title('posts');
    const pending = `${Date.now().toString(36)}${'x'.repeat(26)}`.slice(0, 26);
    const first = await sees('lead posts', lead.createPost({ channel_id: cluster, message: 'a line from a client', pending_post_id: pending }));
    name(first.id, 'a line');
    const heard = await ears.operator.notes('posted', of(first));
    assert.equal(heard.data.sender_name, '@lead');
    await ears.lead.hears('posted', of(first));
    assert.equal((await lead.createPost({ channel_id: cluster, message: 'again', pending_post_id: pending })).id, first.id);
    await sees('lead patches', lead.patchPost({ id: first.id, message: 'a better line' }));
    await ears.operator.notes('post_edited', of(first));
    await sees('lead updates', lead.updatePost({ ...first, message: 'the best line' }), (post) => pick(post, 'message', 'props'));
    await ears.operator.hears('post_edited', says('the best line'));
    await refused('others may not', operator.patchPost({ id: first.id, message: 'mine' }), 403, 'api.context.permissions.app_error');
    const reply = await sees('operator replies', operator.createPost({ channel_id: cluster, message: 'a reply', root_id: first.id }));
    name(reply.id, 'the reply');
    await ears.lead.notes('posted', of(reply));
    await sees('the thread', lead.getPostThread(first.id), (list) => Object.values(list.posts).map((post) => post.message).sort());
    await refused('a reply to a reply', lead.createPost({ channel_id: cluster, message: 'x', root_id: reply.id }), 400);
    await sees('one post', lead.getPost(first.id));
    if (stage.release === 'recent') {
        await sees('posts by id', lead.getPostsByIds([first.id, reply.id]), (list) => list.map((post) => post.message).sort());
    }
    await sees('the channel', lead.getPosts(cluster, 0, 2), (list) => ({ ...list, posts: Object.keys(list.posts).length, prev_post_id: '' }));
    await sees('before the reply', lead.getPostsBefore(cluster, reply.id, 0, 1), (list) => list.order);
    await sees('after the line', lead.getPostsAfter(cluster, first.id), (list) => list.order);
    await sees('since the line', lead.getPostsSince(cluster, first.create_at), (list) => list.order.map((id) => list.posts[id]).filter((post) => !post.delete_at).map((post) => post.message));
    const old = await lead.getPostsSince(cluster, first.create_at);
    note('and what it was before its edits', old.order.map((id) => old.posts[id]).filter((post) => post.delete_at).sort((one, other) => other.edit_at - one.edit_at));
    await lead.viewMyChannel(cluster);
    await sees('what is unread', lead.getPostsUnread(cluster, 'me', 1, 1), (list) => list.order);
    await sees('pinned', lead.pinPost(first.id));
    await ears.operator.notes('post_edited', (event) => postOf(event).is_pinned);
    await sees('what is pinned', lead.getPinnedPosts(cluster), (list) => list.order);
    await sees('not any more', lead.unpinPost(first.id));
    const needle = `needle${Date.now().toString(36)}`;
    const found = await lead.createPost({ channel_id: cluster, message: `a ${needle} in the hay` });
    await sees('a search', lead.searchPosts(team, needle, false), (list) => [list.order.length, Object.keys(list).sort()]);
    await sees('deleted', lead.deletePost(found.id));
    await ears.operator.hears('post_deleted', of(found));
    await refused('it is gone', lead.getPost(found.id), 404, 'app.post.get.app_error');
    await refused('an ephemeral post', lead.createPostEphemeral(users.operator, { channel_id: cluster, message: 'psst' }), 403);
    await sees('deleted with its replies', lead.deletePost(first.id));
    await ears.operator.notes('post_deleted', of(first));
    const mention = await lead.createPost({ channel_id: cluster, message: 'look here, @operator' });
    const told = await ears.operator.hears('posted', of(mention));
    assert.deepEqual(JSON.parse(told.data.mentions), [users.operator]);
    return mention;
}

async function reactions(ears, post) {
    title('reactions');
    name(post.id, 'the post');
    await sees('lead reacts', lead.addReaction(users.lead, post.id, 'eyes'));
    await ears.operator.notes('reaction_added');
    await sees('operator too', operator.addReaction(users.operator, post.id, '+1'), (one) => pick(one, 'emoji_name'));
    await sees('they are there', lead.getReactionsForPost(post.id), (list) => list.map((one) => one.emoji_name).sort());
    await sees('lead takes it back', lead.removeReaction('me', post.id, 'eyes'));
    await ears.operator.notes('reaction_removed');
    await sees('one is left', lead.getPost(post.id), (one) => [one.has_reactions, one.metadata.reactions.map((reaction) => reaction.emoji_name)]);
    await refused('for others', lead.addReaction(users.operator, post.id, 'eyes'), 403, 'api.reaction.save_reaction.user_id.app_error');
    await refused('no emoji', lead.addReaction(users.lead, post.id, 'no such one'), 400);
}

async function upload(client, file, text) {
    const form = new FormData();
    form.append('channel_id', cluster);
    form.append('client_ids', 'one');
    form.append('files', new Blob([text], { type: 'text/plain' }), file);
    return client.uploadFile(form);
}

async function download(client, id) {
    const answer = await fetch(client.getFileUrl(id), client.getOptions({ method: 'get' }));
    return { status: answer.status, type: answer.headers.get('content-type'), disposition: answer.headers.get('content-disposition'), text: await answer.text() };
}

async function files(ears) {
    title('files');
    const uploaded = await sees('lead uploads', upload(lead, 'out put&.txt', 'all of it\n'));
    const id = name(uploaded.file_infos[0].id, 'a file');
    const post = await lead.createPost({ channel_id: cluster, message: 'a file', file_ids: [id] });
    name(post.id, 'its post');
    const heard = await ears.operator.notes('posted', of(post));
    assert.equal(postOf(heard).metadata.files[0].name, 'out put&.txt');
    await sees('its files', operator.getFileInfosForPost(post.id));
    const got = await sees('operator downloads', download(operator, id));
    assert.equal(got.text, 'all of it\n');
    assert.equal((await download(client(), id)).status, 401);
    const one = await lead.uploadFile((() => {
        const form = new FormData();
        form.append('channel_id', cluster);
        return form;
    })()).catch((problem) => problem);
    note('a form without files', pick(one, 'status_code', 'server_error_id', 'file_infos', 'client_ids'));
}

async function channelLife(ears) {
    title('a channel');
    const made = await sees('lead makes one', lead.createChannel({ team_id: team, name: 'peers-aside', display_name: 'Peers aside', type: 'O', purpose: 'to look', header: '' }),
        (one) => pick(one, 'team_id', 'type', 'display_name', 'name', 'purpose', 'header', 'creator_id', 'delete_at'));
    name(made.id, 'the new channel');
    await ears.lead.notes('channel_created', (event) => event.data.channel_id === made.id);
    await refused('twice', lead.createChannel({ team_id: team, name: 'peers-aside', display_name: 'Again', type: 'O' }), 400, 'store.sql_channel.save_channel.exists.app_error');
    await sees('operator is added', lead.addToChannel(users.operator, made.id), (one) => pick(one, 'channel_id', 'user_id', 'roles'));
    await ears.operator.notes('user_added', (event) => event.broadcast.channel_id === made.id && event.data.user_id === users.operator);
    await ears.operator.hears('posted', (event) => postOf(event).type === 'system_add_to_channel' && postOf(event).channel_id === made.id);
    await sees('its header is set', lead.patchChannel(made.id, { header: 'nothing here' }), (one) => pick(one, 'header', 'purpose', 'display_name'));
    await ears.operator.notes('channel_updated', (event) => JSON.parse(event.data.channel).header === 'nothing here');
    await sees('operator is removed', lead.removeFromChannel(users.operator, made.id));
    await ears.operator.notes('user_removed', (event) => event.broadcast.user_id === users.operator);
    await sees('it is archived', lead.deleteChannel(made.id));
    await ears.lead.notes('channel_deleted', (event) => event.data.channel_id === made.id);
    await refused('nobody writes there', lead.createPost({ channel_id: made.id, message: 'x' }), 400);
}

/// The bot of bot.py is spoken to.
async function bot(ears) {
    title('the bot');
    const ask = (text, more) => operator.createPost({ channel_id: cluster, message: text, ...more });
    const hello = await ask('hello bot');
    name(hello.id, 'hello');
    await ears.operator.notes('reaction_added', (event) => inner(event, 'reaction').post_id === hello.id);
    const answer = await ears.operator.notes('posted', by('halcyon', 'hello operator'));
    assert.equal(postOf(answer).root_id, hello.id);
    assert.equal(postOf(answer).props.from_bot, 'true');
    await ask('how many are we', { root_id: hello.id });
    await ears.operator.hears('posted', by('halcyon', 'three posts in this thread'));

    await ask('@halcyon, can you hear me');
    await ears.operator.hears('posted', by('halcyon', 'I was called'));
    await ask('send a file');
    const sent = postOf(await ears.operator.hears('posted', by('halcyon', 'here it is')));
    assert.equal((await download(operator, sent.file_ids[0])).text, 'from the bot\n');
    note('a file of the bot', pick(sent.metadata.files[0], 'name', 'extension', 'size'));
    const uploaded = await upload(operator, 'in.log', 'twelve bytes');
    await ask('read this', { file_ids: [uploaded.file_infos[0].id] });
    await ears.operator.hears('posted', by('halcyon', 'in.log has 12 bytes'));
    await ask('think again');
    const thought = postOf(await ears.operator.hears('posted', by('halcyon', 'first thought')));
    await ears.operator.hears('post_edited', (event) => of(thought)(event) && says('second thought')(event));
    await ears.operator.hears('post_deleted', of(thought));
    await ask('look around');
    await ears.operator.hears('posted', by('halcyon', 'that is all I see'));
    await ask('psst');
    await ears.operator.hears('posted', by('halcyon', 'I may not whisper'));

    const direct = await operator.createDirectChannel([users.operator, users.halcyon]);
    name(direct.id, 'direct');
    note('a direct channel', pick(direct, 'id', 'type', 'name', 'team_id', 'display_name'));
    await operator.createPost({ channel_id: direct.id, message: 'between us' });
    const private_ = await ears.operator.notes('posted', by('halcyon', 'nobody hears us'));
    assert.equal(private_.data.channel_type, 'D');
    await ask('tell me alone');
    const alone = await ears.operator.hears('posted', by('halcyon', 'only you'));
    assert.equal(postOf(alone).channel_id, direct.id);
    await ask('@halcyon help');
    const help = await ears.operator.hears('posted', by('halcyon', 'The following functions have been registered'));
    assert.equal(postOf(help).channel_id, direct.id);
}

async function buttons(ears) {
    title('buttons');
    await operator.createPost({ channel_id: cluster, message: 'deploy kernel-6.1' });
    const heard = await ears.lead.notes('posted', by('halcyon', 'wants to deploy kernel-6.1'));
    const card = postOf(heard);
    name(card.id, 'the card');
    assert.ok(!JSON.stringify(card).includes('secret-of-the-bot'), 'what belongs to the bot alone is not told');
    await ears.operator.hears('posted', of(card));
    await refused('an unknown button', lead.doPostAction(card.id, 'nothing'), 404);
    await refused('one whose listener answers nothing', lead.doPostAction(card.id, 'quiet').then((answer) => {
        // Later releases take an empty answer for a good one.
        assert.equal(stage.release, 'recent');
        throw Object.assign(new Error(), { status_code: 400, answer });
    }), 400);
    const chosen = await lead.doPostAction(card.id, 'where', 'wn002');
    note('lead chooses', { ...chosen, trigger_id: typeof chosen.trigger_id });
    await ears.operator.hears('posted', by('halcyon', 'lead chose wn002'));
    await lead.doPostAction(card.id, 'why');
    const opened = inner(await ears.lead.hears('open_dialog'), 'dialog');
    note('a dialog', { ...opened, trigger_id: typeof opened.trigger_id, url: typeof opened.url });
    const submission = { url: opened.url, callback_id: opened.dialog.callback_id, state: opened.dialog.state, channel_id: cluster, team_id: team, submission: { reason: 'no' }, cancelled: false };
    await sees('an answer that is too short', lead.submitInteractiveDialog(submission));
    await sees('a good one', lead.submitInteractiveDialog({ ...submission, submission: { reason: 'it is time' } }));
    const clicked = await lead.doPostAction(card.id, 'approve');
    note('lead presses', { ...clicked, trigger_id: typeof clicked.trigger_id });
    const edited = await ears.operator.notes('post_edited', (event) => of(card)(event) && says('approved by lead: it is time')(event));
    assert.equal(postOf(edited).props.attachments, undefined);
    await ears.lead.hears('post_edited', (event) => of(card)(event) && says('approved')(event));
    await ears.lead.notes('ephemeral_message', says('thank you'));
    await refused('the button is gone', lead.doPostAction(card.id, 'approve'), 404);
}

/// A line that names its owner when it is opened can be resumed.
async function resume() {
    title('a line that is cut');
    const token = operator.getToken();
    const ear = new Ear(operator, 'operator', {
        newWebSocketFn: (url) => new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } }),
    });
    await ear.hears('hello');
    const before = await lead.createPost({ channel_id: cluster, message: 'before the cut' });
    await ear.hears('posted', of(before));
    ear.socket.conn.terminate();
    const meanwhile = await lead.createPost({ channel_id: cluster, message: 'meanwhile' });
    await ear.hears('posted', of(meanwhile));
    const after = await lead.createPost({ channel_id: cluster, message: 'after it' });
    await ear.hears('posted', of(after));
    note('it was resumed', { reconnects: ear.reconnects, gaps: ear.gaps, hellos: ear.events.filter((event) => event.event === 'hello').length });
    assert.deepEqual([ear.reconnects, ear.gaps], [1, 0]);
    ear.socket.close();
}

await login();
const ears = { lead: new Ear(lead, 'lead'), operator: new Ear(operator, 'operator') };
const hello = await ears.lead.hears('hello');
note('hello', { ...hello, data: Object.keys(hello.data).sort() });
assert.equal(hello.data.connection_id.length, 26);
assert.equal(ears.lead.socket.connectionId, hello.data.connection_id);
await ears.operator.hears('hello');
await start();
await lookups();
await preferences();
await presence(ears);
const post = await posts(ears);
await reactions(ears, post);
await files(ears);
await channelLife(ears);
await bot(ears);
await buttons(ears);
await resume();
title('what was heard in all');
for (const who of ['lead', 'operator']) {
    // Whether a direct channel is new depends on what was there before.
    note(who, [...ears[who].names].filter((event) => event !== 'direct_added').sort());
    ears[who].socket.close();
}
await sees('lead logs out', lead.logout().then((answer) => answer.status));
process.stdout.write('', () => process.exit(0));
