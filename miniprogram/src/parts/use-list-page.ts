import { onReachBottom } from '@dcloudio/uni-app'
import { computed } from 'vue'
import { useFresh } from './use-fresh'
import { usePages } from './use-pages'

/** A page that is one list, newest first: fetched when it is shown or pulled down, and further before its end is reached. */
export function useListPage<T>(fetch: (before: string) => Promise<{ items: readonly T[], next: string | null }>) {
  const { items, isThere, hasMore, failed, isLoading, load, more } = usePages(fetch)

  useFresh(load)
  onReachBottom(more)

  return {
    items, load, more,
    /** For `ListPage`. */
    state: computed(() => ({
      isLoading: isLoading.value, isThere: isThere.value, isEmpty: items.value.length === 0, hasMore: hasMore.value, failed: failed.value,
    })),
  }
}
