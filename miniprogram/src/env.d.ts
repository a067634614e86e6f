/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** Where the functions answer, without a slash at the end; empty, in a browser alone: the page's own address. */
  readonly VITE_API_BASE: string
}

declare module '*.vue' {
  import type { DefineComponent } from 'vue'

  const component: DefineComponent<object, object, unknown>
  export default component
}
