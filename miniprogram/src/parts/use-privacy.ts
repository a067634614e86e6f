/**
 * The privacy policy, put before a person in the very moment in which something personal is asked for, and not sooner.
 * A page that asks for such things has this, while it is in sight, and a `PrivacySheet`.
 */
import type { Ref } from 'vue'
import { ref } from 'vue'
import { host } from '@/platform'
import { agreeToPrivacy, isPrivacyOpen } from '@/session/privacy'

export interface Privacy {
  /** The sheet is up. */
  isAsking: Readonly<Ref<boolean>>
  /** It was said no, the last time. */
  isRefused: Readonly<Ref<boolean>>
  /** Whether it is agreed to, now or before. Asks when it is not. */
  ask: () => Promise<boolean>
  /** What the person says to the sheet. */
  answer: (isAgreed: boolean) => void
  /** In sight: what the host itself wants agreed to is asked here. */
  begin: () => void
  /** Out of sight: nobody would see the question, so the host is told no. */
  end: () => void
}

export function usePrivacy(): Privacy {
  const isAsking = ref(false)
  const isRefused = ref(false)
  let waiting: ((isAgreed: boolean) => void)[] = []
  let isInSight = false

  function put(): Promise<boolean> {
    isAsking.value = true
    return new Promise(resolve => waiting.push(resolve))
  }

  function answer(isAgreed: boolean): void {
    isAsking.value = false
    isRefused.value = !isAgreed
    if (isAgreed)
      agreeToPrivacy()
    const told = waiting
    waiting = []
    told.forEach(one => one(isAgreed))
  }

  function begin(): void {
    isInSight = true
    host.onPrivacy(told => isInSight ? void put().then(told) : told(false))
  }

  return {
    isAsking, isRefused, ask: async () => await isPrivacyOpen() ? put() : true, answer,
    begin, end: () => isInSight = false,
  }
}
