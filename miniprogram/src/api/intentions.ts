/**
 * One `Idempotency-Key` for one intention, kept in storage until the server has answered it: a tap after a crash or a
 * lost answer is the same request, and takes no second place and no second order.
 */
import { host } from '@/platform'

const PREFIX = 'intention:'

/** The key of an intention; `name` says all that makes it that one (what, for whom). */
export async function keyOf(name: string): Promise<string> {
  const kept = host.storage.get(PREFIX + name)
  if (typeof kept === 'string')
    return kept
  const key = await host.randomHex(16)
  host.storage.set(PREFIX + name, key)
  return key
}

/** It was answered for good: the next one like it is a new intention. */
export function answered(name: string): void {
  host.storage.remove(PREFIX + name)
}
