/** The promise of whatever holds the pages: WeChat, or a browser. What only a host can do goes through here. */

/** The id of the button by which WeChat knows that its privacy guide was agreed to. */
export const AGREE_BUTTON = 'agree-to-privacy'

/** What `wx.requestPayment` takes, as the server made and signed it. */
export interface PaymentSheet {
  timeStamp: string
  nonceStr: string
  package: string
  signType: string
  paySign: string
}

/** How the payment sheet was closed. Whether money moved only the server knows. */
export type Closed = 'done' | 'cancelled' | 'failed'

/** What a person says to one template of messages; `ban` and `filter`: WeChat did not ask. */
export type Answer = 'accept' | 'reject' | 'ban' | 'filter'
export type Answers = Readonly<Record<string, Answer>>

/** What the host keeps about messages: whether it lets any through, and what it answers by itself for a template. */
export interface MessageSettings {
  isOn: boolean
  kept: Answers
}

export interface Place {
  latitude: number
  longitude: number
}

/** Where a file is posted to, and the fields that go before it. */
export interface UploadForm {
  url: string
  fields: Record<string, string>
}

export interface Host {
  /** What a server exchanges for an openid. Raises when the host gives none. */
  signInCode: () => Promise<string>
  /** The code that a tap on the phone-number button brought; null: the person said no. `event` is the tap's. */
  phoneCode: (event: unknown) => Promise<string | null>
  /** Opens the payment sheet. */
  pay: (sheet: PaymentSheet) => Promise<Closed>
  /** Asks leave to send messages; only in a tap, with nothing awaited before. Never raises, never blocks. Answers by template. */
  askToSend: (templateIds: readonly string[]) => Promise<Answers>
  /** What the host keeps about messages; null: it does not tell. */
  messageSettings: () => Promise<MessageSettings | null>
  /** The host's own settings, where what was refused for good is allowed again; only in a tap. Ends when they are closed. */
  openSettings: () => Promise<void>
  /** The text of a code before the camera; null: given up. */
  scan: () => Promise<string | null>
  /** Where the phone is; null: not told. */
  whereAmI: () => Promise<Place | null>
  /** Shows a place on the map. */
  showPlace: (place: Place & { name: string, address: string }) => void
  /** Pictures the person chose, as paths; empty: none. */
  choosePictures: (most: number) => Promise<string[]>
  /** What a chosen picture is: its type (`image/jpeg`; empty: not known) and size. Raises when it is not there any more. */
  pictureOf: (path: string) => Promise<{ type: string, bytes: number }>
  /** Posts a chosen picture with a form's fields; `told` is how far it is, 0 to 1. Raises when it did not arrive. */
  uploadPicture: (path: string, form: UploadForm, told: (share: number) => void) => Promise<void>
  /** Shows pictures as large as the screen, beginning with one of them. */
  showPictures: (urls: readonly string[], first: string) => void
  /** Opens a PDF of ours. Raises when it can't be had. */
  openDocument: (url: string) => Promise<void>
  /** To another mini-program; false: not possible here, or refused. */
  jumpTo: (appId: string, path: string) => Promise<boolean>
  /** Calls back now and whenever the network comes or goes. */
  onNetwork: (told: (isConnected: boolean) => void) => void
  /** Whether the host itself wants its privacy guide agreed to before personal data may be asked for. */
  wantsPrivacy: () => Promise<boolean>
  /**
   * Calls back whenever the host comes upon that by itself, as when a number is asked of it: `answer` tells it what the
   * person said, true for agreed. The last one that was given is called; the host's own question is not shown then.
   */
  onPrivacy: (told: (answer: (isAgreed: boolean) => void) => void) => void
  /** Calls a number; the person still has to confirm it. */
  call: (phone: string) => void
  /** The size of text that the person chose in the host's settings, in px; 16 is usual. */
  fontSize: () => number
  /** The screen stays on while somebody waits for a moment; false: as ever. */
  keepAwake: (isOn: boolean) => void
  storage: {
    get: (name: string) => unknown
    set: (name: string, value: unknown) => void
    remove: (name: string) => void
  }
  /** `bytes` random bytes from the host's own source, in hexadecimal. */
  randomHex: (bytes: number) => Promise<string>
  /** What the person's list of signed-in devices calls this one. */
  device: () => string
}
