/** A list that comes in pages, newest first. */
import { computed, ref, shallowRef } from 'vue'
import { useLoad } from './use-load'

/** `fetch` is given where the last page ended; empty for the first one. */
export function usePages<T>(fetch: (before: string) => Promise<{ items: readonly T[], next: string | null }>) {
  const later = shallowRef<readonly T[]>([])
  const next = ref<string | null>(null)

  const { data, failed, isLoading, load: first } = useLoad(async () => {
    const page = await fetch('')
    later.value = []
    next.value = page.next
    return page.items
  })
  const rest = useLoad(async () => {
    if (next.value === null)
      return
    const page = await fetch(next.value)
    later.value = [...later.value, ...page.items]
    next.value = page.next
  })

  async function more(): Promise<void> {
    if (next.value !== null && !rest.isLoading.value && !isLoading.value)
      await rest.load()
  }

  return {
    items: computed(() => [...(data.value ?? []), ...later.value]),
    isThere: computed(() => data.value !== undefined),
    hasMore: computed(() => next.value !== null),
    failed: computed(() => failed.value ?? rest.failed.value),
    isLoading,
    load: first,
    more,
  }
}
