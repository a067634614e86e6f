/** What both hosts do alike, by uni-app. */
import type { Host } from './host'

export const storage: Host['storage'] = {
  get: name => uni.getStorageSync(name) || undefined,
  set: (name, value) => uni.setStorageSync(name, value),
  remove: name => uni.removeStorageSync(name),
}

export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), byte => byte.toString(16).padStart(2, '0')).join('')
}

export function onNetwork(told: (isConnected: boolean) => void): void {
  uni.getNetworkType({ success: ({ networkType }) => told(networkType !== 'none') })
  uni.onNetworkStatusChange(({ isConnected }) => told(isConnected))
}
