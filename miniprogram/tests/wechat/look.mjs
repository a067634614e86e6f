/**
 * What can be said of a build for WeChat without running a journey: `node look.mjs FOLDER`. Its style sheets and its
 * markup by WeChat's compilers, with file and line; every script of every page and component loads and says what it is.
 */
import { filesOf, styles } from './compilers.mjs'
import { Phone } from './phone.mjs'
import { wechatOf } from './wechat.mjs'

const folder = process.argv[2]
const problems = []

function look(does) {
  try {
    does()
  }
  catch (thrown) {
    problems.push(thrown.message)
  }
}

look(() => styles(folder))
look(() => {
  const silent = { base: 'https://nowhere.invalid', person: {}, control: () => Promise.reject(new Error('silent')) }
  const phone = new Phone(folder, wechatOf(silent))
  phone.program.load('app.js')
  phone.program.pages.forEach(path => look(() => phone.program.component(path, true)))
  for (const path of filesOf(folder, '.wxml').filter(one => !phone.program.pages.includes(one))) {
    look(() => {
      if (phone.program.component(path).definition.options.virtualHost !== true)
        throw new Error(`${path} leaves an element of its own around what it draws`)
    })
  }
  problems.push(...phone.faults)
})

process.stdout.write(`${problems.join('\n')}\n`, () => process.exit(problems.length ? 1 : 0))
