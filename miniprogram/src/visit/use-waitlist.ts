import { get, remove } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'

/** What I wait for, and leaving it. */
export function useWaitlist() {
  const { data, failed, isLoading, load } = useLoad(async () => (await get('/api/booking/waitlist')).entries)

  const leaving = useAct(async (id: string) => {
    try {
      await remove('/api/booking/waitlist/{entry_id}', { path: { entry_id: id } })
    }
    finally {
      await load() // a place may have been offered meanwhile
    }
  })

  return { entries: data, failed, isLoading, load, leaving }
}
