/** A session on sale, as it stands on a button. */
import { clock, dayInWords, period, weekday } from './time'

const KINDS: Record<string, string> = { ORDINARY: '普通号', EXPERT: '专家号', SPECIAL: '特需号' }

export function kind(code: string): string {
  return KINDS[code] ?? ''
}

/** `今天 上午`, `周三 上午`, a week away with its date: `12月2日 周三 上午`. */
export function when(one: { visit_date: string, period: string }, now: number): string {
  const day = dayInWords(one.visit_date, now)
  const isNear = /[今明后昨]/.test(day)
  return `${isNear ? day : `${day} ${weekday(one.visit_date)}`} ${period(one.period)}`
}

/** What is left: `余 3`, `约满`, `停诊`. */
export function rest(one: { state: string, free: number }): string {
  if (one.state === 'STOPPED')
    return '停诊'
  return one.free > 0 ? `余 ${one.free}` : '约满'
}

export { clock }
