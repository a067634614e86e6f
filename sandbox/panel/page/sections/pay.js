/** WeChat Pay: the sheet on the phone, the orders of its owner, and what becomes of the next notice. */
import { choice, el, isInUse, redraw } from '../draw.js'
import { phone, town } from '../town.js'
import { dayAndTime, ORDER, yuan } from '../words.js'

const LATE = 600 // seconds
const FATES = [['usual', '马上到'], ['late', '晚 10 分钟到'], ['lost', '丢失，不再来']]
const SHOWN = 5 // orders

export default {
  title: '微信支付',
  order: 10,
  column: 'near',

  open({ act, button }) {
    const where = choice('付款单显示在', [['phone', '手机上'], ['desk', '这里（手机上只等待）']], 'phone', at => act(async () => {
      await town('PUT', `/wechatpay/phones/${phone().openid}/sheet`, { at })
      return at === 'desk' ? '下一张付款单显示在这里。' : '下一张付款单显示在手机上。'
    }))
    const fate = choice('下一条付款通知', FATES, 'usual', chosen => act(async () => {
      await town('PUT', '/wechatpay/notices/next', { late: chosen === 'late' ? LATE : 0, lost: chosen === 'lost' })
      return chosen === 'usual' ? '下一条付款通知照常来。' : '只影响下一条付款通知；小程序会自己去问微信。'
    }))
    const sheet = el('div', { class: 'sheet', 'aria-live': 'polite' })
    const orders = el('ul', { class: 'rows' })

    const drawSheet = one => one === null
      ? el('p', { class: 'hint' }, '手机上没有打开的付款单。在手机上点支付，这里就能按指纹。')
      : [
          el('p', {}, el('strong', {}, yuan(one.total_fen)), ` ${one.description}`),
          el('p', { class: 'row' },
            button('按指纹付款', async () => {
              await town('POST', `/wechatpay/sheets/${one.id}/pay`)
              return `${yuan(one.total_fen)} 已付。`
            }, { kind: 'main' }),
            button('拒付（余额不足）', async () => {
              await town('POST', `/wechatpay/sheets/${one.id}/refuse`)
              return '余额不足，没有付款。'
            })),
        ]

    const drawOrder = (one, hasSheet) => el('li', {},
      el('span', {}, `${one.description} `, el('strong', {}, yuan(one.total_fen)),
        el('span', { class: 'hint' }, ` ${ORDER[one.state] ?? one.state}`
        + (one.refunded_fen ? `，已退 ${yuan(one.refunded_fen)}` : '')
        + (one.state === 'NOTPAY' ? `，${dayAndTime(one.expires_at)} 前` : ''))),
      ['NOTPAY', 'CLOSED'].includes(one.state) && !hasSheet && button('钱还是来了', async () => {
        await town('POST', `/wechatpay/orders/${one.out_trade_no}/force-pay`)
        return `${yuan(one.total_fen)} 到账，不管这一单还能不能付。`
      }, { about: `${one.description} ${yuan(one.total_fen)}` }))

    return {
      body: [
        sheet,
        el('div', { class: 'fields' }, el('label', {}, '付款单显示在 ', where), el('label', {}, '下一条付款通知 ', fate)),
        el('h3', {}, '这部手机的订单'),
        orders,
      ],
      async refresh() {
        const next = await town('GET', '/wechatpay/notices/next')
        if (!isInUse(fate))
          fate.value = next.lost ? 'lost' : next.late ? 'late' : 'usual'
        const owner = phone()
        if (!owner)
          return
        const [shown, all] = await Promise.all([
          town('GET', `/wechatpay/sheets?openid=${owner.openid}`), town('GET', `/wechatpay/orders?openid=${owner.openid}`)])
        if (!isInUse(where))
          where.value = shown.at
        redraw(sheet, shown.sheet, () => drawSheet(shown.sheet))
        const newest = all.reverse().slice(0, SHOWN)
        const open = shown.sheet?.out_trade_no
        redraw(orders, [newest, open], () => newest.length
          ? newest.map(one => drawOrder(one, one.out_trade_no === open))
          : el('li', { class: 'hint' }, '还没有订单。'))
      },
    }
  },
}
