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
