/** The hospital's time as a page shows it: goes on while the page is there, and jumps when the server says otherwise. */
import type { Ref } from 'vue'
import { onMounted, onUnmounted, ref } from 'vue'
import { onOtherTime, serverNow } from '@/api/server-time'

/** In ms. `every`: how often it goes on; a second where a time limit runs. */
export function useNow(every = 30_000): Readonly<Ref<number>> {
  const now = ref(serverNow())
  const look = () => void (now.value = serverNow())
  const forget = onOtherTime(look)
  let ticking: ReturnType<typeof setInterval> | undefined

  onMounted(() => ticking = setInterval(look, every))
  onUnmounted(() => {
    clearInterval(ticking)
    forget()
  })
  return now
}
