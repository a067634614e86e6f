/** Decisions of choosing a doctor and a time. */
import { moment } from '@/words/time'

interface Session {
  doctor_id: string
  doctor_name: string
  doctor_title: string
  state: string
  free: number
  starts_at: string
}

export interface Doctor<S> {
  id: string
  name: string
  title: string
  sessions: S[]
}

/** A department's sessions by doctor: who has the earliest place comes first, who has none last. */
export function byDoctor<S extends Session>(sessions: readonly S[]): Doctor<S>[] {
  const doctors = new Map<string, Doctor<S>>()
  for (const one of sessions) {
    const doctor = doctors.get(one.doctor_id) ?? { id: one.doctor_id, name: one.doctor_name, title: one.doctor_title, sessions: [] }
    doctor.sessions.push(one)
    doctors.set(one.doctor_id, doctor)
  }
  return [...doctors.values()].sort((a, b) => firstFree(a.sessions) - firstFree(b.sessions))
}

/** When the earliest free place's session begins, in ms; infinity when there is none. */
export function firstFree(sessions: readonly Session[]): number {
  const free = sessions.filter(one => one.state === 'OPEN' && one.free > 0)
  return free.length ? Math.min(...free.map(one => Date.parse(one.starts_at))) : Number.POSITIVE_INFINITY
}

/** The name of this intention: another session, place, patient or fee is another one. */
export function intention(order: { patient_id: string, schedule_id: string, slot_id: string | null, fee_fen: number }): string {
  return ['book', order.patient_id, order.schedule_id, order.slot_id ?? 'any', order.fee_fen].join(':')
}

/** What taking a place means: how it is paid and how long it is kept, until when it can be given up. `now` in ms. */
export function terms(
  places: { hold_minutes: number, pay_now: boolean, slots: readonly { cancel_until: string }[] },
  slot: { cancel_until: string } | undefined, fee_fen: number, now: number,
): string[] {
  const until = (slot ?? places.slots[0])?.cancel_until
  const paying = places.pay_now
    ? `号源会为你保留 ${places.hold_minutes} 分钟，请在这段时间内付款。`
    : fee_fen > 0 ? '现在不用付款，就诊当天取号时再付挂号费。' : '不用付款。'
  const cancelling = !until
    ? []
    : Date.parse(until) > now ? [`${moment(until, now)} 前可以在手机上取消，已付的挂号费原路退回。`] : ['挂上后不能在手机上取消，请到人工窗口办理。']
  return [paying, ...cancelling]
}

// -- the moment of a release -------------------------------------------------------------------------
/** A place in the rush; all times in ms of the hospital's clock. */
export interface Turn {
  /** To be shown with the booking; empty: none is needed. */
  ticket: string
  at: number
  /** How many came before at `since`, and so fewer at any later moment. */
  ahead: number
  since: number
}

/** What the server drew at `now`. Nobody is let in before `opensAt`, so nobody gets ahead before it. */
export function turnOf(drawn: { ticket: string, admitted_at: string, ahead: number }, opensAt: number, now: number): Turn {
  return { ticket: drawn.ticket, at: Date.parse(drawn.admitted_at), ahead: drawn.ahead, since: Math.max(opensAt, now) }
}

/** How many are ahead at `now`: they are let in at an even pace. */
export function aheadAt(turn: Turn, now: number): number {
  if (turn.at <= turn.since)
    return 0
  const left = (turn.at - Math.max(now, turn.since)) / (turn.at - turn.since)
  return Math.ceil(turn.ahead * Math.min(1, Math.max(0, left)))
}

/** What follows a refusal while one waits: a new ticket, another try a little later, another place, or nothing. */
export function afterRefusal(failed: { trouble: string, code: string }): 'draw' | 'later' | 'gone' | 'end' {
  switch (failed.code) {
    case 'ticket_required':
    case 'ticket_of_another':
      return 'draw'
    case 'not_your_turn':
    case 'day_not_open': // its clock and ours differ by a moment
    case 'busy':
      return 'later'
    case 'slot_gone':
    case 'session_stopped':
      return 'gone'
    default:
      return failed.trouble === 'busy' && !failed.code ? 'later' : 'end'
  }
}

interface Other extends Session {
  id: string
  visit_date: string
}

const MOST_OTHERS = 4
const MOST_OF_THE_SAME = 2

/** Instead of a place that is gone: the same doctor's next ones, then other doctors', that day's before other days'. */
export function others<S extends Other>(sessions: readonly S[], gone: { id: string, doctorId: string, day: string | undefined }): S[] {
  const free = sessions.filter((one, at) => one.state === 'OPEN' && one.free > 0 && one.id !== gone.id
    && sessions.findIndex(same => same.id === one.id) === at)
  const sorted = [...free].sort((a, b) => Number(b.visit_date === gone.day) - Number(a.visit_date === gone.day)
    || Date.parse(a.starts_at) - Date.parse(b.starts_at))
  const same = sorted.filter(one => one.doctor_id === gone.doctorId).slice(0, MOST_OF_THE_SAME)
  return [...same, ...sorted.filter(one => one.doctor_id !== gone.doctorId)].slice(0, MOST_OTHERS)
}

// -- waiting for a place of a full session, and how a patient stands ----------------------------------
/** The doctor's sessions of a session's day, if there are several and all of them are full; else none. */
export function ofThatDay<S extends Session & { id: string, visit_date: string }>(sessions: readonly S[], one: S | undefined): S[] {
  const day = sessions.filter(other => other.state === 'OPEN' && other.visit_date === one?.visit_date)
  return day.length > 1 && day.every(other => other.free === 0) ? day : []
}

/** How a patient stands, for the page where they confirm; nothing when there is nothing to say. */
export function missed(standing: { missed: number, rule_text: string } | undefined): string {
  return standing?.missed ? `${standing.missed} 次。${standing.rule_text}` : ''
}
