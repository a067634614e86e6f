/** Decisions of choosing a doctor and a time. */

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
