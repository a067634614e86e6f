/** Times as the hospital's clock shows them (UTC+8, no summer time), whatever the phone's zone. */
const HOUR = 3_600_000
const DAY = 24 * HOUR
const ZONE = 8 * HOUR
const WEEKDAYS = ['周日', '周一', '周二', '周三', '周四', '周五', '周六']
const PERIODS: Record<string, string> = { MORNING: '上午', AFTERNOON: '下午', EVENING: '晚上' }

/** The hospital's wall clock in a `Date` whose UTC fields are to be read. */
function wall(moment: string | number): Date {
  return new Date((typeof moment === 'number' ? moment : Date.parse(moment)) + ZONE)
}

function two(number: number): string {
  return number.toString().padStart(2, '0')
}

/** The hospital's day of a moment: `2026-11-30`. */
export function dayOf(moment: string | number): string {
  return wall(moment).toISOString().slice(0, 10)
}

/** `14:30`. */
export function clock(moment: string | number): string {
  const at = wall(moment)
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`
}

/** A hospital day in words: `今天`, `明天`, `11月30日`, with the year when it is another. `now` in ms. */
export function dayInWords(day: string, now: number): string {
  const distance = Math.round((Date.parse(day) - Date.parse(dayOf(now))) / DAY)
  if (distance >= -1 && distance <= 2)
    return ['昨天', '今天', '明天', '后天'][distance + 1] as string
  const [year, month, date] = day.split('-').map(Number) as [number, number, number]
  return `${year === wall(now).getUTCFullYear() ? '' : `${year}年`}${month}月${date}日`
}

/** `周一`. */
export function weekday(day: string): string {
  return WEEKDAYS[new Date(Date.parse(day)).getUTCDay()] as string
}

/** `今天 14:30`, `11月30日 周一 09:00`. */
export function moment(at: string | number, now: number): string {
  const day = dayOf(at)
  const words = dayInWords(day, now)
  return `${words} ${/[今明后昨]/.test(words) ? '' : `${weekday(day)} `}${clock(at)}`
}

/** `上午`; a period that is not known stays out. */
export function period(code: string): string {
  return PERIODS[code] ?? ''
}

/** What is left of a time limit: `14:59`; `0:00` when it is over. Both in ms. */
export function left(until: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((until - now) / 1000))
  return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
}

/** A day said whole: `2020年5月1日`. */
export function dayInFull(day: string): string {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number]
  return `${year}年${month}月${date}日`
}
