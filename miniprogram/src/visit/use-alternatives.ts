import type { PaymentSheet } from '@/platform'
import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePaying } from '@/parts/use-paying'
import { seenMoving } from './rules'

/** Where else there is a place for a registration, its times, and going there. */
export function useAlternatives(id: () => string) {
  const path = () => ({ path: { booking_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/booking/bookings/{booking_id}/alternatives', path()))
  const chosenId = ref('')
  const slotId = ref<string | null>(null)
  const slots = ref<readonly { id: string, starts_at: string }[]>([])
  const chosen = computed(() => data.value?.offers.find(one => one.id === chosenId.value))
  const slot = computed(() => slots.value.find(one => one.id === slotId.value))

  /** Shows a session's times; the first is chosen until another one is. */
  const choosing = useAct(async (sessionId: string) => {
    const places = await get('/api/booking/sessions/{schedule_id}/slots', { path: { schedule_id: sessionId } })
    chosenId.value = sessionId
    slots.value = places.slots
    slotId.value = places.slots[0]?.id ?? null
  })

  const moving = usePaying({
    open: async () => {
      const goal = chosen.value
      if (!goal)
        return null
      const body = { schedule_id: goal.id, slot_id: slotId.value, fee_fen: goal.fee_fen }
      const { payment } = await post('/api/booking/bookings/{booking_id}/move', { ...path(), body })
      return payment as PaymentSheet | null
    },
    look: async () => seenMoving(await get('/api/booking/bookings/{booking_id}', path())),
  })

  /** True when the hospital has been asked to move it, or it is only left to pay: the registration's page says more. */
  async function move(): Promise<boolean> {
    await moving.pay()
    const isBegun = moving.step.value !== 'idle'
    if (!isBegun) { // the place has gone, or something else has changed: the list tells an old story
      chosenId.value = ''
      await load()
    }
    return isBegun
  }

  return {
    registration: computed(() => data.value?.booking), offers: computed(() => data.value?.offers ?? []), chosen, slots, slot,
    choose: choosing.act, chooseSlot: (slot_: string) => slotId.value = slot_, failed, isLoading, load, move,
    isMoving: computed(() => ['opening', 'sheet', 'asking'].includes(moving.step.value)),
    refused: computed(() => moving.failed.value ?? choosing.failed.value),
  }
}
