/** The hospital: its doctors, windows and machines, for one patient, and its sessions. */
import { choice, el, fill, isInUse, redraw } from '../draw.js'
import { patients } from '../patients.js'
import { reopen, stop } from '../rota.js'
import { town, Trouble } from '../town.js'
import { BILL, KIND, PERIOD, REGISTRATION, yuan } from '../words.js'

const SHOWN = 6 // bills, and registrations

export default {
  title: '医院',
  order: 30,
  column: 'near',

  open({ act, button }) {
    let patient = ''
    const who = choice('患者', [['', '（还没有患者）']], '', (code) => {
      patient = code
      return act(async () => undefined)
    })
    const kind = choice('开什么单', Object.entries(KIND), 'LABORATORY', () => undefined)
    const bills = el('ul', { class: 'rows' })
    const registrations = el('ul', { class: 'rows' })

    const his = (path, body, done) => async () => {
      await town('POST', `/his${path}`, body)
      return done
    }

    function drawBill(one, charge) {
      const about = `${KIND[one.kind] ?? one.kind} ${yuan(one.total_fen)}`
      const at = `/bills/${one.bill_no}`
      const wished = el('input', { type: 'number', min: '0.01', step: '0.01', placeholder: '元', 'aria-label': `${about} 改为多少元` })
      const change = () => town('POST', `/his${at}/change`, { amount_fen: Math.round(wished.value * 100) }).then(() => '金额改了。')
      return el('li', { class: 'tall' },
        el('span', {}, el('strong', {}, about), el('span', { class: 'hint' }, ` ${BILL[one.state] ?? one.state}`
        + `${one.locked_by_trade ? '，正在手机上支付' : ''} · ${one.doctor_name} · ${one.items.map(item => item.name).join('、')}`)),
        el('span', { class: 'row' },
          one.state === 'UNPAID' && [
            el('form', {
              class: 'row',
              onsubmit: (event) => {
                event.preventDefault()
                wished.blur()
                void act(change)
              },
            }, wished, el('button', { 'aria-label': `改价 ${about}` }, '改价')),
            button('作废', his(`${at}/cancel`, {}, '单子作废了。'), { about }),
            button('窗口收费', his(`${at}/pay-at-desk`, {}, '窗口收了钱。'), { about }),
          ],
          one.state === 'PAID' && !one.items.every(item => item.executed)
          && button('已执行', his(`${at}/execute`, {}, '做完了，不能再在手机上退。'), { about }),
          charge && button('窗口退费', his(`/charges/${charge.trade_no}/desk-refund`, {}, '窗口退了费，钱从微信原路退回。'), { about })))
    }

    function drawRegistration(one) {
      const about = `${one.doctor_name} ${one.date} ${PERIOD[one.period] ?? one.period}`
      const isFirm = one.state === 'CONFIRMED'
      return el('li', { class: 'tall' },
        el('span', {}, el('strong', {}, about), el('span', { class: 'hint' },
          ` ${REGISTRATION[one.state] ?? one.state}${one.checked_in ? '，已报到' : ''}${one.schedule_state === 'STOPPED' ? '，已停诊' : ''} · ${yuan(one.fee_fen)}`)),
        el('span', { class: 'row' },
          isFirm && !one.checked_in && button('在大厅报到', his(`/registrations/${one.trade_no}/check-in`, {}, '报到了。'), { about }),
          isFirm && one.paid_fen > 0
          && button('窗口退号退费', his(`/registrations/${one.trade_no}/desk-refund`, {}, '窗口退了号，钱从微信原路退回。'), { about }),
          isFirm && one.schedule_state !== 'STOPPED' && button('医生停诊', () => stop(one.schedule_code), { about }),
          one.schedule_state === 'STOPPED' && button('恢复出诊', () => reopen(one.schedule_code), { about })))
    }

    /** Those on file, this phone's own first; one of them is chosen as soon as there is one. */
    async function look() {
      const { own, others } = await patients()
      const option = one => [one.patient_code, `${one.name} ${one.phone}`]
      const groups = [{ label: '这部手机的就诊人', options: own.map(option) }, { label: '医院档案里的其他人', options: others.map(option) }]
      const isKnown = [...own, ...others].some(one => one.patient_code === patient)
      if (!isKnown || (own.length && !who.dataset.own))
        patient = (own[0] ?? others[0])?.patient_code ?? ''
      who.dataset.own = own.length ? 'yes' : ''
      if (!isInUse(who))
        fill(who, groups.filter(one => one.options.length), patient)
    }

    return {
      body: [
        el('div', { class: 'fields' }, el('label', {}, '患者 ', who)),
        el('div', { class: 'fields beside' }, el('label', {}, '医生开单 ', kind),
          button('开单', async () => {
            if (!patient)
              await look()
            if (!patient)
              throw new Trouble('还没有患者：先在手机上添加一位就诊人。')
            const made = await town('POST', '/his/bills', { patient_code: patient, kind: kind.value })
            return `${made.doctor_name}开了${KIND[made.kind]}，${yuan(made.total_fen)}。`
          }, { kind: 'main' })),
        el('h3', {}, '单子'),
        bills,
        el('h3', {}, '挂号'),
        registrations,
      ],
      async refresh() {
        await look()
        if (!patient)
          return
        const of = `?patient_code=${patient}`
        const [ordered, charges, booked] = await Promise.all([
          town('GET', `/his/bills${of}`), town('GET', `/his/charges${of}`), town('GET', `/his/books${of}`)])
        const settled = bill => charges.find(one => one.bill_no === bill.bill_no && one.state === 'SETTLED'
          && one.paid_fen > one.refund_fen + one.desk_refund_fen)
        const newest = ordered.reverse().slice(0, SHOWN).map(one => [one, settled(one) ?? null])
        redraw(bills, newest, () => newest.length ? newest.map(one => drawBill(...one)) : el('li', { class: 'hint' }, '没有单子。'))
        const last = booked.reverse().slice(0, SHOWN)
        redraw(registrations, last, () => last.length ? last.map(drawRegistration) : el('li', { class: 'hint' }, '没有挂号。'))
      },
    }
  },
}
