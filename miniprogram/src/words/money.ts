/** Fen in, what a person reads out: `¥1,313.35`. The only place that knows of yuan. */
export function yuan(fen: number): string {
  const whole = Math.floor(Math.abs(fen) / 100).toString().replace(/\B(?=(\d{3})+$)/g, ',')
  const rest = (Math.abs(fen) % 100).toString().padStart(2, '0')
  return `${fen < 0 ? '-' : ''}¥${whole}.${rest}`
}

/** The same, a fee of nothing in words. */
export function fee(fen: number): string {
  return fen === 0 ? '免费' : yuan(fen)
}

/** The price of one: it may have parts of a fen. `¥0.125`. */
export function price(fen: number): string {
  const [whole, parts = ''] = (fen / 100).toFixed(4).split('.') as [string, string?]
  return `${yuan(Number(whole) * 100).slice(0, -3)}.${parts.replace(/0{1,2}$/, '')}`
}

/** `2 盒`. */
export function quantity(one: { quantity: number, unit: string }): string {
  return [one.quantity, one.unit].filter(Boolean).join(' ')
}
