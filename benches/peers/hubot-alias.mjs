// Times Hubot's way from a message to its listener: reads {expressions, hits, misses} from standard input, prints microseconds a message.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'

const require = createRequire(process.cwd() + '/')
const { Adapter, Robot, TextMessage, User } = await import(pathToFileURL(require.resolve('hubot')).href)
const asked = JSON.parse(readFileSync(0, 'utf8'))
process.env.HUBOT_LOG_LEVEL = 'silent'
const robot = new Robot({ name: 'none', use: (robot) => new Adapter(robot) }, false, 'Hubot', false)
let heard = 0
for (const expression of asked.expressions) {
  robot.hear(new RegExp(expression, 'i'), () => { heard += 1 })
}
const user = new User('1', { room: 'bench' })
async function time (lines) {
  const few = lines.filter((_, at) => at % Math.ceil(lines.length / 50) === 0)
  const times = []
  for (let round = 0; round < 5; round += 1) {
    const began = process.hrtime.bigint()
    for (const line of few) await robot.receive(new TextMessage(user, line, '1'))
    times.push(Number(process.hrtime.bigint() - began) / 1000 / few.length)
  }
  return times.sort((one, other) => one - other)[2]
}
const result = { hit: await time(asked.hits), miss: await time(asked.misses) }
if (heard === 0) throw new Error('nothing was heard')
console.log(JSON.stringify(result))
process.exit(0)
