/** What the home page puts first. */
import { LIVE } from '@/words/registration'

interface Registration {
  state: string
  starts_at: string
  expires_at: string | null
  visit_date: string
}

/** The registration whose next step comes first: one to be paid before it goes, else the nearest not past. `today`: a hospital day. */
export function nextVisit<T extends Registration>(all: readonly T[], today: string): T | undefined {
  const live = all.filter(one => LIVE.includes(one.state) && one.visit_date >= today)
  const unpaid = live.filter(one => one.expires_at !== null && ['HELD', 'AWAITING_PAYMENT'].includes(one.state))
  return earliest(unpaid, one => one.expires_at ?? '') ?? earliest(live, one => one.starts_at)
}

function earliest<T>(some: readonly T[], of: (one: T) => string): T | undefined {
  return [...some].sort((a, b) => Date.parse(of(a)) - Date.parse(of(b)))[0]
}

/** The room that the page's own part takes, and nothing of what it says. */
export interface Shape {
  /** Characters of the sentence under the next visit; 0: there is no visit. */
  sentence: number
  /** Doctors to be booked again. */
  seen: number
}

interface OnSale {
  doctor_id: string
  visit_date: string
  period: string
  state: string
  free: number
}

type Taken = Pick<OnSale, 'doctor_id' | 'visit_date' | 'period' | 'state'>

/**
 * The first session with a place of each doctor seen before, two at most; those without any stay out, and so does what
 * is booked already: the hospital takes one registration with a doctor in a period.
 */
export function again<D extends { sessions: readonly OnSale[] }>(
  seen: readonly D[], registrations: readonly Taken[],
): { doctor: D, session: D['sessions'][number] }[] {
  const mine = new Set(registrations.filter(one => LIVE.includes(one.state)).map(place))
  const found = seen.flatMap((doctor) => {
    const session = doctor.sessions.find(one => one.state === 'OPEN' && one.free > 0 && !mine.has(place(one)))
    return session ? [{ doctor, session }] : []
  })
  return found.slice(0, 2)
}

function place(one: Taken): string {
  return [one.doctor_id, one.visit_date, one.period].join(' ')
}

/** Of the steps of all visits (the most urgent first): that of the visit which is shown, and the first of another one. */
export function stepsOf<S extends { booking_id: string }>(steps: readonly S[], shown: string | undefined): { own?: S, other?: S } {
  const own = steps.find(one => one.booking_id === shown)
  const other = steps.find(one => one.booking_id !== shown)
  return { ...(own ? { own } : {}), ...(other ? { other } : {}) }
}
