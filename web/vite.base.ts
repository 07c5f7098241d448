// What the Vite configurations of both front ends share: plugins, the proxy to the API, security headers, /config.json.
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Connect, Plugin, UserConfig } from 'vite';

/** No script but our own files; styles may be inline because Radix and MapLibre set them; workers of the map are blobs. */
export const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob: https:",
  "font-src 'self' data:",
  "connect-src 'self' https:",
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const securityHeaders = {
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(self)',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/** Settings of an installation that the browser must know. nginx serves its own file of this shape instead. */
function publicSettings(): string {
  return JSON.stringify({
    map_style: process.env.MAP_STYLE_URL || null,
    map_attribution: process.env.MAP_ATTRIBUTION || null,
    app_url: process.env.APP_URL || null,
    admin_url: process.env.ADMIN_URL || null,
  });
}

function configJson(): Plugin {
  const serve: Connect.NextHandleFunction = (request, response, next) => {
    if (request.url?.split('?')[0] !== '/config.json') return next();
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Cache-Control', 'no-cache');
    response.end(publicSettings());
  };
  return {
    name: 'config-json',
    configureServer: (server) => void server.middlewares.use(serve),
    configurePreviewServer: (server) => void server.middlewares.use(serve),
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'config.json', source: publicSettings() });
    },
  };
}

/** Sets the colours before the first paint. A file of its own, because the policy forbids inline scripts. */
function themeScript(): Plugin {
  const source = readFileSync(resolve(import.meta.dirname, 'shared/theme-init.js'), 'utf8');
  return {
    name: 'theme-script',
    configureServer: (server) =>
      void server.middlewares.use('/theme-init.js', (_request, response) => {
        response.setHeader('Content-Type', 'text/javascript');
        response.end(source);
      }),
    transformIndexHtml: () => [{ tag: 'script', attrs: { src: '/theme-init.js' }, injectTo: 'head-prepend' }],
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'theme-init.js', source });
    },
  };
}

/** The configuration of the front end in `root`, served on `port` while developing. */
export function frontEnd(root: string, port: number): UserConfig {
  const api = process.env.API_URL ?? 'http://127.0.0.1:8100';
  // xfwd: the API limits sign-in attempts by the caller's address. The host header stays the browser's own.
  const to = { target: api, xfwd: true, changeOrigin: false };
  // With the slash: /api-keys is a page.
  const proxy = { '^/api/': to, '^/health/': to };
  return {
    root,
    plugins: [react(), tailwindcss(), configJson(), themeScript()],
    server: { port, strictPort: true, proxy },
    preview: { port, strictPort: true, proxy, headers: securityHeaders, host: process.env.WEB_HOST ?? '127.0.0.1' },
    build: { target: 'es2022', sourcemap: true, outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 1500 },
  };
}
