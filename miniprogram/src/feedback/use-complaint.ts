import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { LEAST } from './rules'

/** One complaint on its way: rating its answer, having it looked at once more, taking it back. */
export function useComplaint(id: () => string) {
  const path = () => ({ path: { complaint_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/feedback/complaints/{complaint_id}', path()))
  const stars = ref<number>()
  const reason = ref('')
  const shown = computed(() => (data.value?.pictures ?? []).flatMap(one => one.url ? [one.url] : []))

  const rating = useAct(async () => {
    if (stars.value)
      await post('/api/feedback/complaints/{complaint_id}/rating', { ...path(), body: { stars: stars.value } })
    await load()
  })
  const reopening = useAct(async () => {
    await post('/api/feedback/complaints/{complaint_id}/reopening', { ...path(), body: { text: reason.value.trim() } })
    reason.value = ''
    await load()
  })
  const withdrawing = useAct(async () => {
    await post('/api/feedback/complaints/{complaint_id}/withdrawal', path())
    await load()
  })

  return {
    complaint: data,
    failed,
    isLoading,
    load,
    stars,
    reason,
    isReason: computed(() => reason.value.trim().length >= LEAST),
    rating,
    reopening,
    withdrawing,
    showPicture: (url: string) => host.showPictures(shown.value, url),
    asking: useAsking(() => data.value?.pictures.some(one => one.state === 'UPLOADED') === true, load),
  }
}
