// A Hubot adapter for the part of Mattermost that the bench needs: hears posts over the websocket, answers over REST.
import http from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.cwd() + '/')
const { Adapter, TextMessage, User } = await import(pathToFileURL(require.resolve('hubot')).href)
const WebSocket = require('ws')

const base = new URL(process.env.MATTERMOST_URL)
const token = process.env.MATTERMOST_TOKEN
const agent = new http.Agent({ keepAlive: true })

function call (method, path, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = { authorization: `Bearer ${token}` }
    if (text !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = Buffer.byteLength(text)
    }
    const request = http.request({ host: base.hostname, port: base.port, agent, method, path: `/api/v4${path}`, headers }, (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () => {
        const answer = Buffer.concat(parts).toString()
        if (response.statusCode >= 300) reject(new Error(`${response.statusCode} ${answer}`))
        else resolve(JSON.parse(answer))
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}

class MattermostAdapter extends Adapter {
  async send (envelope, ...texts) {
    for (const message of texts) {
      await call('POST', '/posts', { channel_id: envelope.room, root_id: '', message })
    }
  }

  async reply (envelope, ...texts) {
    return this.send(envelope, ...texts)
  }

  async run () {
    const me = await call('GET', '/users/me')
    const socket = new WebSocket(`ws://${base.host}/api/v4/websocket`, { headers: { authorization: `Bearer ${token}` } })
    socket.on('message', (data) => {
      const event = JSON.parse(data)
      if (event.event === 'hello') {
        this.emit('connected')
      } else if (event.event === 'posted') {
        const post = JSON.parse(event.data.post)
        if (post.user_id === me.id) return
        const user = new User(post.user_id, { name: event.data.sender_name, room: post.channel_id })
        this.receive(new TextMessage(user, post.message, post.id))
      }
    })
    socket.on('close', () => process.exit(1))
  }
}

export default { use: (robot) => new MattermostAdapter(robot) }
