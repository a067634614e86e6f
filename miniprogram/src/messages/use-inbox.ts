import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { usePages } from '@/parts/use-pages'

/** The messages, how many are unread in all, and reading them. */
export function useInbox() {
  const unread = ref(0)
  const seen = ref<readonly string[]>([])

  const { items, isThere, hasMore, failed, isLoading, load, more } = usePages(async (before) => {
    const [page, told] = await Promise.all([get('/api/messages/inbox', { query: { before } }), get('/api/messages/unread')])
    unread.value = told.unread
    return { items: page.messages, next: page.next }
  })
  /** What was read just now is shown so, before the server has said it. */
  const messages = computed(() => items.value.map(one => seen.value.includes(one.id) ? { ...one, is_read: true } : one))

  /** A message was opened. Nobody waits for it: what did not arrive stays unread, and is shown so the next time. */
  function read(id: string): void {
    if (messages.value.find(one => one.id === id)?.is_read)
      return
    seen.value = [...seen.value, id]
    unread.value = Math.max(0, unread.value - 1)
    post('/api/messages/inbox/{message_id}/read', { path: { message_id: id } }).catch(() => {
      seen.value = seen.value.filter(one => one !== id)
      unread.value++
    })
  }

  const readAll = useAct(async () => {
    const [newest] = items.value
    if (!newest)
      return
    await post('/api/messages/inbox/read-all', { body: { newest: newest.id } })
    await load()
  })

  return { messages, unread, isThere, hasMore, failed, isLoading, load, more, read, readAll }
}
