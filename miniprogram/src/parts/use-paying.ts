/**
 * Paying, the same for everything that costs money: open, show the sheet, then ask the server until it knows.
 *
 * Nobody is told "paid" before the server says so. After any return from the sheet, also a cancelled one, it is asked:
 * the sheet may have said one thing and the money done another.
 */
import type { Ref } from 'vue'
import { ref, shallowRef } from 'vue'
import type { Failure } from '@/api/errors'
import { failure } from '@/api/errors'
import type { PaymentSheet } from '@/platform'
import { host } from '@/platform'

/** `settled` by the server's word; `open`: not paid; `pending`: it does not know yet. */
export type Seen = 'settled' | 'open' | 'pending'
export type Step = 'idle' | 'opening' | 'sheet' | 'asking' | 'settled' | 'unpaid' | 'unknown'

const ASKS_AFTER = [0, 1000, 2000, 4000, 8000] // ms

export interface Payable {
  /** Opens the payment; null when nothing is to be paid now. Raises `Failure`. */
  open: () => Promise<PaymentSheet | null>
  /** What the server knows of it. Raises `Failure`. */
  look: () => Promise<Seen>
  wait?: (ms: number) => Promise<void>
}

export interface Paying {
  step: Readonly<Ref<Step>>
  failed: Readonly<Ref<Failure | undefined>>
  pay: () => Promise<void>
  /** Asks again, for a page that is shown anew. */
  ask: () => Promise<void>
}

export function usePaying({ open, look, wait = ms => new Promise(resolve => setTimeout(resolve, ms)) }: Payable): Paying {
  const step = ref<Step>('idle')
  const failed = shallowRef<Failure>()
  let isBusy = false

  async function alone(does: () => Promise<void>): Promise<void> {
    if (isBusy)
      return
    isBusy = true
    failed.value = undefined
    try {
      await does()
    }
    catch (thrown) {
      failed.value = failure(thrown)
      const isRefused = step.value === 'opening' && failed.value.isFinal
      step.value = step.value === 'opening' ? 'idle' : 'unknown'
      if (isRefused) // what was shown told an old story: paid in another place, or over
        await look().catch(() => undefined) // the refusal has been said; that it can't be looked at now adds nothing
    }
    finally {
      isBusy = false
    }
  }

  async function untilKnown(isCancelled: boolean): Promise<void> {
    step.value = 'asking'
    for (const ms of ASKS_AFTER) {
      await wait(ms)
      const seen = await look()
      if (seen === 'settled' || (seen === 'open' && isCancelled)) {
        step.value = seen === 'settled' ? 'settled' : 'unpaid'
        return
      }
    }
    step.value = 'unknown'
  }

  const pay = () => alone(async () => {
    step.value = 'opening'
    const sheet = await open()
    if (sheet === null)
      return untilKnown(false)
    step.value = 'sheet'
    const closed = await host.pay(sheet)
    await untilKnown(closed !== 'done')
  })

  return { step, failed, pay, ask: () => alone(() => untilKnown(true)) }
}
