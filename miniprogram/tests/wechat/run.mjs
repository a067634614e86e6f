/**
 * One journey on a build for WeChat: `node run.mjs NAME`, and what it is given in the environment as JSON, `GIVEN`:
 * `folder` of the build, `base` where it thinks the functions are, `api` where they are, `control` of the sandbox, the
 * `appId` of the hospital's program, where its `files` are, and what the journey needs; `owner` (`openid`, `phone`,
 * `session`), who has been here before, or else it is somebody new; `opens`: the page that a message opens. Its result is
 * the last line printed, as JSON; every
 * fault of a page fails it.
 */
import { feedbackJourneys } from './feedback-journeys.mjs'
import { journeys } from './journeys.mjs'
import { Phone } from './phone.mjs'
import { wechatOf } from './wechat.mjs'
import { controlAt } from './wire.mjs'

async function run(name, given) {
  const control = controlAt(given.control)
  const born = given.owner ?? await control('POST', '/wechat/phones')
  const person = { openid: born.openid, pays: 'thumb', agrees: true }
  const from = `127.${1 + Math.floor(Math.random() * 250)}.${Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`
  const phone = new Phone(given.folder, wechatOf({ ...given, control, person, from }))
  if (born.session)
    phone.wx.setStorageSync('session', born.session)
  phone.start(given.opens)
  const settle = () => control('POST', '/settle', { timeout: 60 })
  const result = await { ...journeys, ...feedbackJourneys }[name](phone, { ...given, person, number: born.phone, settle })
  phone.end()
  await new Promise(resolve => setTimeout(resolve, 50))
  if (phone.faults.length)
    throw new Error(phone.faults.join('\n'))
  return { ...result, openid: born.openid, called: [...new Set(phone.wx.calls.map(one => one.name))].sort() }
}

try {
  const result = await run(process.argv[2], JSON.parse(process.env.GIVEN))
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}
catch (thrown) {
  process.stderr.write(`${thrown.stack}\n`, () => process.exit(1))
}
