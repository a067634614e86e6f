/** Pictures of a draft: chosen, uploaded straight into the hospital's store, looked at there. */
import { ref } from 'vue'
import type { components } from '@/api/schema'
import { failure } from '@/api/errors'
import { get, post, remove } from '@/api/request'
import { useAsking } from '@/parts/use-asking'
import { host } from '@/platform'
import type { Picture } from './rules'
import { MOST_PICTURES, noPicture } from './rules'

type View = components['schemas']['PictureView']
const STATES: Record<View['state'], Picture['state']> = { AWAITED: 'failed', UPLOADED: 'checking', READY: 'ready', REFUSED: 'refused' }

/** `changed` is called whenever the draft has other pictures than before. */
export function usePictures(changed: () => void) {
  const pictures = ref<Picture[]>([])
  let lastKey = 0

  function entered(one: Partial<Picture>): Picture {
    pictures.value.push({ key: ++lastKey, src: '', id: '', state: 'uploading', share: 0, reason: '', ...one })
    return pictures.value[pictures.value.length - 1] as Picture // the one that the page watches
  }

  function looked(one: Picture, seen: View): void {
    one.state = STATES[seen.state]
    one.reason = seen.reason_text
    if (seen.url && !one.src)
      one.src = seen.url
  }

  async function add(): Promise<void> {
    const paths = await host.choosePictures(MOST_PICTURES - pictures.value.length)
    await Promise.all(paths.map(src => upload(entered({ src }))))
  }

  async function upload(one: Picture): Promise<void> {
    Object.assign(one, { state: 'uploading', share: 0, reason: '' })
    try {
      const file = await host.pictureOf(one.src)
      one.reason = noPicture(file)
      if (one.reason) {
        one.state = 'refused'
        return
      }
      const form = await post('/api/feedback/pictures', { body: { content_type: file.type } })
      one.id = form.id
      await host.uploadPicture(one.src, form, share => void (one.share = share))
      looked(one, await post('/api/feedback/pictures/{picture_id}/uploaded', { path: { picture_id: form.id } }))
    }
    catch (thrown) {
      one.state = 'failed'
      one.reason = failure(thrown).code ? failure(thrown).sentence : '图片没有传完，请检查网络后重试。'
    }
    changed()
  }

  async function look(): Promise<void> {
    for (const one of pictures.value.filter(each => each.state === 'checking')) {
      try {
        looked(one, await get('/api/feedback/pictures/{picture_id}', { path: { picture_id: one.id } }))
      }
      catch {
        return // asked again by itself
      }
    }
  }

  /** Those of a draft that was left: as far as they are still there. */
  async function restore(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      try {
        looked(entered({ id, state: 'checking' }), await get('/api/feedback/pictures/{picture_id}', { path: { picture_id: id } }))
      }
      catch {
        pictures.value = pictures.value.filter(one => one.id !== id) // gone since: it can be chosen anew
      }
    }
  }

  async function take(one: Picture): Promise<void> {
    pictures.value = pictures.value.filter(each => each.key !== one.key)
    changed()
    if (one.id) // what can't be taken back now goes by itself in the night
      await remove('/api/feedback/pictures/{picture_id}', { path: { picture_id: one.id } }).catch(() => undefined)
  }

  const asking = useAsking(() => pictures.value.some(one => one.state === 'checking'), look)
  return { pictures, add, upload, take, restore, asking }
}
