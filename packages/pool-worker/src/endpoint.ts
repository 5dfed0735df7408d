/** Where connections go: parsed once, printed without secrets. */

/** A TCP, TLS or unix-socket address. */
export type Endpoint =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'tls'; readonly host: string; readonly port: number; readonly servername?: string | undefined }
  | { readonly transport: 'unix'; readonly path: string }

/** What a connection signs in with. Asked anew for each connect when the option is a function. Never printed. */
export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}
