/** The hospital's time: a phone's own clock may be wrong by hours, and a time limit is the server's. */
let ahead = 0 // ms, of the server before this phone
const told = new Set<() => void>()

/** A `Date` header of the server, as its answers have it. It is whole seconds, so small differences are no difference. */
export function heard(date: string | undefined, here: number = Date.now()): void {
  const there = date === undefined ? Number.NaN : Date.parse(date)
  if (Number.isNaN(there) || Math.abs(there - here - ahead) <= 2000)
    return
  ahead = there - here
  told.forEach(tell => tell())
}

/** Now, in ms, by the server's clock as far as it is known. */
export function serverNow(here: number = Date.now()): number {
  return here + ahead
}

/** Be told when it turns out to be another time; the answer ends that. */
export function onOtherTime(tell: () => void): () => void {
  told.add(tell)
  return () => void told.delete(tell)
}
