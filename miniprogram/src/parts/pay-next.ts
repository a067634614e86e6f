/**
 * What one page has ordered the next one pays at once: in the same go, and never again. It does not stand in the address,
 * which outlives the tap: a page that is opened anew, restored or come back to opens no sheet by itself.
 */
let ordered = ''

export function payNext(id: string): void {
  ordered = id
}

/** Whether this was ordered by the tap that led here. */
export function isToPay(id: string): boolean {
  const is = id !== '' && id === ordered
  ordered = ''
  return is
}
