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

/** wx.uploadFile, and its twin in the browser. */
export const uploadPicture: Host['uploadPicture'] = (path, { url, fields }, told) => new Promise((resolve, reject) => {
  const task = uni.uploadFile({
    url,
    filePath: path,
    name: 'file',
    formData: fields,
    success: ({ statusCode }) => statusCode >= 200 && statusCode < 300 ? resolve() : reject(new Error(`upload answered ${statusCode}`)),
    fail: ({ errMsg }) => reject(new Error(errMsg)),
  })
  task.onProgressUpdate(({ progress }) => told(progress / 100))
})

export const showPictures: Host['showPictures'] = (urls, first) => {
  uni.previewImage({ urls: [...urls], current: first })
}

export function onNetwork(told: (isConnected: boolean) => void): void {
  uni.getNetworkType({ success: ({ networkType }) => told(networkType !== 'none') })
  uni.onNetworkStatusChange(({ isConnected }) => told(isConnected))
}
