/** What a page shows while it is being fetched, when it is there, and when it is not. */
import type { Ref } from 'vue'
import { computed, ref, shallowRef } from 'vue'
import type { Failure } from '@/api/errors'
import { failure } from '@/api/errors'
import { SIGNED_OUT } from '@/session/session'

export interface Load<T> {
  /** The newest answer; stays while a newer one is fetched. */
  data: Readonly<Ref<T | undefined>>
  failed: Readonly<Ref<Failure | undefined>>
  isLoading: Readonly<Ref<boolean>>
  /**
   * Fetches, again if need be. Of several under way only the last one's answer counts, and all of them end with it: who
   * has waited sees the newest. Never raises.
   */
  load: () => Promise<void>
}

export function useLoad<T>(fetch: () => Promise<T>): Load<T> {
  const data = shallowRef<T>()
  const failed = shallowRef<Failure>()
  const underWay = ref(0)
  let last = 0
  let newest: Promise<void> = Promise.resolve()

  async function load(): Promise<void> {
    let awaited
    newest = once(++last)
    do {
      awaited = newest
      await awaited
    } while (awaited !== newest)
  }

  async function once(mine: number): Promise<void> {
    underWay.value++
    try {
      const got = await fetch()
      if (mine === last) {
        data.value = got
        failed.value = undefined
      }
    }
    catch (thrown) {
      if (mine === last) {
        failed.value = failure(thrown)
        if (failed.value.code === SIGNED_OUT) // what was shown to somebody who has left is nobody else's to see
          data.value = undefined
      }
    }
    finally {
      underWay.value--
    }
  }

  return { data, failed, isLoading: computed(() => underWay.value > 0), load }
}
