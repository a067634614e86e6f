/** Something a person does: once at a time, and what goes wrong is said where it was done. */
import type { Ref } from 'vue'
import { ref, shallowRef } from 'vue'
import type { Failure } from '@/api/errors'
import { failure } from '@/api/errors'

export interface Act<A extends unknown[], T> {
  isDoing: Readonly<Ref<boolean>>
  failed: Ref<Failure | undefined>
  /** A second tap while the first is under way does nothing. Undefined when it failed. */
  act: (...args: A) => Promise<T | undefined>
}

export function useAct<A extends unknown[], T>(does: (...args: A) => Promise<T>): Act<A, T> {
  const isDoing = ref(false)
  const failed = shallowRef<Failure>()

  async function act(...args: A): Promise<T | undefined> {
    if (isDoing.value)
      return undefined
    isDoing.value = true
    failed.value = undefined
    try {
      return await does(...args)
    }
    catch (thrown) {
      failed.value = failure(thrown)
      return undefined
    }
    finally {
      isDoing.value = false
    }
  }

  return { isDoing, failed, act }
}
