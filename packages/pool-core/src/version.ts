/** The version of both packages, as their manifests say it: a test holds it to them. */
export const VERSION = '0.1.0'
