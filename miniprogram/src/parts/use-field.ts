import type { ComponentPublicInstance, Ref } from 'vue'
import { onMounted } from 'vue'

/**
 * A field's name for who hears the page: what the template gives it, and nothing where the host's own field inside is
 * what must have it.
 */
export function useName(field: Ref<ComponentPublicInstance | undefined>, inside: 'input' | 'textarea', label: string): string | undefined {
  // #ifdef MP-WEIXIN
  return label
  // #endif
  // #ifndef MP-WEIXIN
  onMounted(() => (field.value?.$el as HTMLElement).querySelector(inside)?.setAttribute('aria-label', label))
  return undefined
  // #endif
}

/** What was typed, of the event that tells of it. */
export function typedIn(event: unknown): string {
  return (event as { detail: { value: string } }).detail.value
}
