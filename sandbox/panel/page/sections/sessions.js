/** The sessions of a department on a day, which may be off. */
import { choice, el, fill, redraw } from '../draw.js'
import { reopen, stop } from '../rota.js'
import { town } from '../town.js'
import { local, PERIOD, time, yuan } from '../words.js'

export default {
  title: '医生出诊',
  order: 40,
  column: 'near',

  open({ act, button }) {
    let department = ''
    const where = choice('科室', [], '', (code) => {
      department = code
      return act(async () => undefined)
    })
    const day = el('input', { type: 'date', 'aria-label': '日期', onchange: () => act(async () => undefined) })
    const list = el('ul', { class: 'rows' })

    function draw(one) {
      const about = `${one.doctor_name} ${PERIOD[one.period] ?? one.period} ${time(one.starts_at)}`
      return el('li', {},
        el('span', {}, el('strong', {}, about), el('span', { class: 'hint' }, ` ${yuan(one.fee_fen)} · `
        + `${one.state === 'STOPPED' ? '× 已停诊' : `余 ${one.free} 个号`}`)),
        one.state === 'STOPPED'
          ? button('恢复出诊', () => reopen(one.code), { about })
          : button('停诊', () => stop(one.code), { about }))
    }

    return {
      body: [
        el('details', {}, el('summary', {}, '哪个科室、哪一天'),
          el('div', { class: 'fields' }, el('label', {}, '科室 ', where), el('label', {}, '日期 ', day)), list),
      ],
      async refresh() {
        if (!day.value)
          day.value = local((await town('GET', '/clock')).now).slice(0, 10)
        if (!department) {
          const { departments } = await town('GET', '/his/departments')
          fill(where, departments.map(one => [one.code, one.name]))
          department = where.value
        }
        if (!list.parentElement.open)
          return
        const sessions = await town('GET', `/his/schedules?date=${day.value}&department_code=${department}`)
        sessions.sort((one, other) => one.starts_at.localeCompare(other.starts_at))
        redraw(list, sessions, () => sessions.length ? sessions.map(draw) : el('li', { class: 'hint' }, '这一天没有医生出诊。'))
      },
    }
  },
}
