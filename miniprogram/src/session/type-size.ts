/** Normal or large type (长辈版): chosen once, remembered, the same on every page. */
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { host } from '@/platform'

const NAME = 'type:large'
const LARGE_FROM = 22 // px of the phone's own setting

export const useTypeSize = defineStore('type-size', () => {
  const chosen = host.storage.get(NAME)
  const isLarge = ref(typeof chosen === 'string' ? chosen === 'yes' : host.fontSize() >= LARGE_FROM)

  function change(): void {
    isLarge.value = !isLarge.value
    host.storage.set(NAME, isLarge.value ? 'yes' : 'no')
  }

  return { isLarge, change }
})
