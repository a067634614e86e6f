/** What happened just now, in words; and waiting until nothing is due. */
import { el, redraw } from '../draw.js'
import { town } from '../town.js'
import { OPERATION, seconds, SYSTEM } from '../words.js'

const ASKED = 60 // lines, of which many are nobody's news
const SHOWN = 14
const PATIENCE = 60 // seconds
const DULL = new Set(['cloud get_secret_value', 'cloud invoke', 'wechat stable_token'])
const FAULT = {
  refuse: '按安排拒绝了', error: '按安排出错了', delay: '按安排慢了', hold: '按安排等着', cut_before: '断开，没有做', cut_after: '做了，但没有回话',
  garbage: '回了乱码', override: '说了别的',
}

const ID = /(?<=\/)[0-9A-Z]{20,}/g

function line(one) {
  const what = one.operation === 'route'
    ? `${one.method} ${one.path.replace('/api/', '').replace(ID, '…')}`
    : OPERATION[one.operation] ?? one.operation
  const isBad = one.status === null || one.status >= 400 || one.fault
  const how = FAULT[one.fault] ?? (one.status === null ? '没有回应' : one.status >= 400 ? `被拒绝（${one.status}）` : '成')
  return el('li', { class: isBad ? 'bad' : '' },
    el('span', { class: 'hint' }, seconds(one.at)), ` ${SYSTEM[one.system] ?? one.system}：${what} `,
    el('span', {}, isBad ? `× ${how}` : `✓ ${how}`))
}

export default {
  title: '刚刚发生了什么',
  order: 40,
  column: 'far',

  open({ button }) {
    const list = el('ol', { class: 'log', tabindex: '0', 'aria-label': '刚刚发生的事，最新的在前' })
    return {
      body: [
        el('p', { class: 'row' }, button('等手头的事都办完', async () => {
          const { settled } = await town('POST', '/settle', { timeout: PATIENCE })
          return settled ? '都办完了，没有到期未办的事。' : `等了 ${PATIENCE} 秒，还有事情在办。`
        })),
        list,
      ],
      async refresh() {
        const lines = (await town('GET', `/journal?last=${ASKED}`))
          .filter(one => !DULL.has(`${one.system} ${one.operation}`)).reverse().slice(0, SHOWN)
        redraw(list, lines, () => lines.map(line))
      },
    }
  },
}
