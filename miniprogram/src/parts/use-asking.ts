/** Asks again by itself while something is under way and the page is in sight: at growing gaps, and not for ever faster. */
import { ref, watch } from 'vue'

const GAPS = [2, 4, 8, 15, 30] // seconds; the last one stays

export function useAsking(isUnderWay: () => boolean, ask: () => Promise<void>): { begin: () => void, end: () => void } {
  const isInSight = ref(false)
  let turn = 0
  let asked = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function plan(): void {
    timer = setTimeout(async () => {
      const mine = turn
      await ask()
      if (mine === turn && isInSight.value && isUnderWay())
        plan()
    }, (GAPS[Math.min(asked++, GAPS.length - 1)] ?? 30) * 1000)
  }

  watch(() => isInSight.value && isUnderWay(), (isOn) => {
    turn++
    clearTimeout(timer)
    asked = 0
    if (isOn)
      plan()
  }, { flush: 'sync' })

  return { begin: () => isInSight.value = true, end: () => isInSight.value = false }
}
