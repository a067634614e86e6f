/** Whether the systems around the house work: each as it should, slowly, refusing, or not at all. */
import { el } from '../draw.js'
import { town } from '../town.js'
import { SYSTEM } from '../words.js'

const NAMES = ['his', 'wechatpay', 'wechat', 'ebill', 'sms', 'cos']
const SLOW = 3 // seconds
const WAYS = { works: '✓ 正常', delay: '… 很慢', refuse: '! 拒绝', cut_before: '× 断开' }

let orders = 0 // that were given: what was read before the last one is not shown any more

/** One system: four ways to be, of which one is chosen. */
function drawn(system, act) {
  const order = (way) => {
    orders += 1
    return act(async () => {
      await town('DELETE', `/faults?system=${system}`)
      const params = way === 'delay' ? { seconds: SLOW } : {}
      if (way !== 'works')
        await town('POST', '/faults', { system, operation: '*', kind: way, times: -1, params })
      return `${SYSTEM[system]}：${WAYS[way].slice(2)}。`
    })
  }
  const hits = el('span', { class: 'hint' })
  const radios = Object.keys(WAYS).map(way => el('input', { type: 'radio', name: system, value: way, onchange: () => order(way) }))
  const part = el('fieldset', { class: 'way' }, el('legend', {}, SYSTEM[system], hits),
    radios.map(radio => el('label', {}, radio, el('span', { class: radio.value }, WAYS[radio.value]))))
  const show = (fault) => {
    radios.find(radio => radio.value === (fault?.kind ?? 'works')).checked = true
    hits.textContent = fault?.hits ? ` 已影响 ${fault.hits} 次` : ''
  }
  return { part, show }
}

export default {
  title: '系统',
  order: 20,
  column: 'far',

  open({ act, button }) {
    const systems = NAMES.map(name => drawn(name, act))
    const others = el('p', { class: 'hint' })
    return {
      body: [
        ...systems.map(one => one.part),
        others,
        el('p', { class: 'row' }, button('全部恢复正常', async () => {
          await town('DELETE', '/faults')
          return '所有系统都正常了。'
        })),
      ],
      async refresh() {
        const before = orders
        const { faults } = await town('GET', '/faults')
        if (orders !== before)
          return
        const whole = NAMES.map(name => faults.find(one => one.system === name && one.operation === '*' && one.kind in WAYS))
        systems.forEach((one, at) => one.show(whole[at]))
        const single = faults.filter(one => one.times !== 0 && !whole.includes(one)).length
        others.textContent = single ? `另有 ${single} 个单独安排的故障。` : ''
      },
    }
  },
}
