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

interface OnSale {
  state: string
  free: number
}

/** The first session with a place of each doctor seen before, two at most; those without any stay out. */
export function again<D extends { sessions: readonly OnSale[] }>(seen: readonly D[]): { doctor: D, session: D['sessions'][number] }[] {
  const found = seen.flatMap((doctor) => {
    const session = doctor.sessions.find(one => one.state === 'OPEN' && one.free > 0)
    return session ? [{ doctor, session }] : []
  })
  return found.slice(0, 2)
}
