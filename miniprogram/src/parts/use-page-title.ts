/** The title of the navigation bar, once it is known; it is the bar of whichever page is in sight, so of this one only then. */
import { ref, watch } from 'vue'
import { whileInSight } from './while-in-sight'

export function usePageTitle(title: () => string | undefined): void {
  const isInSight = ref(false)
  whileInSight(() => isInSight.value = true, () => isInSight.value = false)
  watch(() => isInSight.value ? title() : undefined, (known) => {
    if (known)
      uni.setNavigationBarTitle({ title: known })
  })
}
