/** What a registration's state means for the patient: a mood, and what comes next in a sentence. */
import { clock, dayInWords, dayOf, moment, period, weekday } from './time'

/** As much of a registration as these words need. Times in ISO 8601. */
export interface Told {
  state: string
  state_text: string
  reason_text: string
  visit_date: string
  period: string
  starts_at: string
  expires_at: string | null
  clinic_room: string
  location: string
  queue_number: string
  queue_place: string
  needs_payment: boolean
  /** The session does not take place: until when the patient may choose. */
  stopped?: { choose_until: string } | null
  /** What the hospital has said of who came; empty until then. */
  attendance?: string
  /** Made for who waited (候补). */
  is_offer?: boolean
}

export type Mood = 'good' | 'wait' | 'bad' | 'quiet'

const MOODS: Record<string, Mood> = {
  HELD: 'wait',
  AWAITING_PAYMENT: 'wait',
  CONFIRMING: 'wait',
  CONFIRMED: 'good',
  CHECKED_IN: 'good',
  CANCELLING: 'wait',
  CANCELLED: 'quiet',
  RELEASED: 'quiet',
  REJECTED: 'bad',
}

/** States in which the place is the patient's. */
export const LIVE = ['HELD', 'AWAITING_PAYMENT', 'CONFIRMING', 'CONFIRMED', 'CHECKED_IN']

export function mood({ state, stopped, attendance }: Pick<Told, 'state' | 'stopped' | 'attendance'>): Mood {
  return stopped || attendance === 'ABSENT' ? 'bad' : MOODS[state] ?? 'wait'
}

/** `明天 上午 09:30`, `11月30日 周一 上午 09:30`. */
export function when(one: Pick<Told, 'visit_date' | 'period' | 'starts_at'>, now: number): string {
  const day = dayInWords(one.visit_date, now)
  const week = /[今明后昨]/.test(day) ? '' : ` ${weekday(one.visit_date)}`
  return `${day}${week} ${period(one.period)} ${clock(one.starts_at)}`
}

/** What to do next, or what is being done for them. */
export function whatNext(one: Told, now: number): string {
  if (one.attendance === 'ABSENT')
    return '医院记录你没有来就诊。来不了请提前取消；记录有误请到门诊服务台更正。'
  switch (one.state) {
    case 'HELD':
    case 'AWAITING_PAYMENT':
      if (one.is_offer && one.expires_at)
        return `你候补的号到了，请在 ${clock(one.expires_at)} 前${one.needs_payment ? '支付' : '确认'}，过时让给下一位。`
      return one.expires_at ? `号源已为你保留，请在 ${clock(one.expires_at)} 前完成${one.needs_payment ? '支付' : '确认'}，超时自动释放。` : '号源已为你保留，请完成确认。'
    case 'CONFIRMING':
      return one.needs_payment ? '已支付，医院确认中。确认后会通知你；不成功会自动退款。' : '医院确认中，结果会通知你。'
    case 'CONFIRMED':
      if (one.stopped)
        return `医生停诊了。请在 ${moment(one.stopped.choose_until, now)} 前改约或退号，到时没有选择会自动退号退费。`
      return one.visit_date === dayOf(now)
        ? `就诊当天请先取号，再到${one.location || one.clinic_room || '诊室'}候诊。`
        : `${dayInWords(one.visit_date, now)}到院后请先取号，再候诊。`
    case 'CHECKED_IN':
      return `请到${one.queue_place || one.location || one.clinic_room}候诊，${one.queue_number ? `叫到 ${one.queue_number} 请进诊室。` : '留意叫号。'}`
    case 'CANCELLING':
      return '正在取消，结果会通知你。'
    default:
      return one.reason_text
  }
}

/** What comes next where the hospital knows more of the visit than its registration says. */
export function told(step: { title: string, text: string } | undefined): string | undefined {
  return step && `${step.title}：${step.text}`
}
