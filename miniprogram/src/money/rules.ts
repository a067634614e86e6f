/** Payments in a list, and where each leads. */

interface Payment {
  id: string
  kind: string
  subject_id: string
  state: string
  items: readonly { name: string }[]
}

/** What was paid for, in short: `阿莫西林胶囊 等 3 项`. */
export function summary(items: readonly { name: string }[]): string {
  const first = items[0]?.name ?? ''
  return items.length > 1 ? `${first} 等 ${items.length} 项` : first
}

const SUBJECTS: Record<string, string> = { outpatient: '/bills/order', registration: '/visit/registration' }

/** The page of what a payment is for, where it is paid, given up or given back; undefined when there is none. */
export function subjectPage(one: Payment): string | undefined {
  return SUBJECTS[one.kind]
}

/** One that is still to be paid leads to where it is paid, all others to their receipt. */
export function pageOf(one: Payment): { page: string, id: string } {
  const page = one.state === 'OPEN' ? subjectPage(one) : undefined
  return page ? { page, id: one.subject_id } : { page: '/money/receipt', id: one.id }
}
