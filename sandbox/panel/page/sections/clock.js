/** The clock, which can leap, and the timers that wait for it. */
import { el, redraw } from '../draw.js'
import { town } from '../town.js'
import { day, dayAndTime, local, seconds, TIMER } from '../words.js'

const name = timer => TIMER[`${timer.function} ${timer.name}`] ?? `${timer.function} ${timer.name}`
const SETTLES = 60 // seconds

export default {
  title: '时间',
  order: 10,
  column: 'far',

  open({ act, button }) {
    let ahead = 0 // ms, of this machine's own clock
    const face = el('p', { class: 'clock' })
    const wished = el('input', { type: 'datetime-local', 'aria-label': '日期和时间' })
    const timers = el('ul', { class: 'rows' })
    const now = () => Date.now() + ahead
    const tick = () => face.textContent = `${day(now())} ${seconds(now())}`

    async function look() {
      const asked = Date.now()
      const { now: shown } = await town('GET', '/clock')
      ahead = Date.parse(shown) - (asked + Date.now()) / 2
      tick()
      if (!wished.value)
        wished.value = local(now())
    }

    /** Moves the clock, lets what falls due be done, and tells what that was. */
    async function leap(method, path, body) {
      const before = await town('GET', '/scf/timers')
      await town(method, path, body)
      const { settled } = await town('POST', '/settle', { timeout: SETTLES })
      await look()
      const fired = (await town('GET', '/scf/timers')).filter((one, at) => one.fired !== before[at].fired).map(name)
      wished.value = local(now())
      const what = fired.length ? `触发了：${fired.join('、')}。` : '没有定时任务触发。'
      return `现在是 ${dayAndTime(now())}。${what}${settled ? '' : '还有事情在办。'}`
    }
    const advance = by => () => leap('POST', '/clock/advance', { seconds: by })
    const set = moment => leap('PUT', '/clock', { now: `${moment}:00+08:00` })

    setInterval(tick, 1000)
    return {
      body: [
        face,
        el('p', { class: 'row' },
          button('过 10 分钟', advance(600)), button('过 1 小时', advance(3600)),
          button('到明天 07:00', () => set(`${local(now() + 86_400_000).slice(0, 10)}T07:00`))),
        el('form', {
          class: 'row',
          onsubmit: (event) => {
            event.preventDefault()
            void act(() => set(wished.value.slice(0, 16)))
          },
        }, wished, el('button', {}, '到这个时间')),
        el('details', {}, el('summary', {}, '接下来的定时任务'), timers),
      ],
      async refresh() {
        await look()
        const all = (await town('GET', '/scf/timers')).sort((one, other) => (one.next ?? '9').localeCompare(other.next ?? '9'))
        redraw(timers, all.map(one => [one.function, one.name, one.next]), () => all.map(one => el('li', {},
          el('span', {}, name(one), el('span', { class: 'hint' }, one.next ? ` ${dayAndTime(one.next)}` : '')),
          button('现在就做', async () => {
            const { error } = await town('POST', `/scf/timers/${one.function}/${one.name}/fire`)
            return error ? `${name(one)}没有做成：${error.errorMessage ?? error}` : `${name(one)}做完了。`
          }, { about: name(one) }))))
      },
    }
  },
}
