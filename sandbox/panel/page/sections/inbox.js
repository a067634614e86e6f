/** What came to the phone: WeChat's subscription messages, and texts, those to its patients' numbers on file as well. */
import { el, redraw } from '../draw.js'
import { patients } from '../patients.js'
import { phone, show, town } from '../town.js'
import { dayAndTime } from '../words.js'

const SHOWN = 8
const ASKED = 100 // texts, of all phones

export default {
  title: '手机收到的消息',
  order: 20,
  column: 'near',

  open({ button }) {
    const list = el('ul', { class: 'rows', 'aria-live': 'polite' })
    const message = one => el('li', {},
      el('div', {}, el('strong', {}, one.template_name), el('span', { class: 'hint' }, ` ${dayAndTime(one.at)}`),
        el('p', {}, one.lines.join(' · '))),
      one.page && button('在手机上打开', async () => show(one.page), { about: `${one.template_name} ${dayAndTime(one.at)}` }))
    const text = one => el('li', {},
      el('div', {}, el('strong', {}, '短信'), el('span', { class: 'hint' }, ` ${dayAndTime(one.at)} 发到 ${one.phone}`),
        el('p', {}, one.text)))

    return {
      body: [list],
      async refresh() {
        const owner = phone()
        if (!owner)
          return
        const [messages, texts, { own }] = await Promise.all([
          town('GET', `/wechat/phones/${owner.openid}/inbox`), town('GET', `/sms/texts?last=${ASKED}`), patients()])
        const numbers = [owner.phone, ...own.map(one => one.phone)]
        const all = [...messages, ...texts.filter(one => numbers.includes(one.phone))]
          .sort((one, other) => other.at.localeCompare(one.at)).slice(0, SHOWN)
        redraw(list, all, () => all.length
          ? all.map(one => one.lines ? message(one) : text(one))
          : el('li', { class: 'hint' }, '还没有消息。挂号成功、开单、退费都会来一条；核验码是短信。'))
      },
    }
  },
}
