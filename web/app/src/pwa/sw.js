// The service worker: keeps the shell (page, scripts, styles, icons) so that the application opens without a network.
// Data is never kept: what the API answers is not even looked at. The build puts in the version and the files.
const VERSION = '__VERSION__';
const SHELL = ['__SHELL__'];
const CACHE = `shell-${VERSION}`;
const PAGE = '/index.html';

/** A slow network is as good as none when the page is here already. */
const PATIENCE_MS = 4000;

self.addEventListener('install', (event) => {
    event.waitUntil(
        caches
            .open(CACHE)
            .then((cache) => cache.addAll(SHELL))
            .then(() => self.skipWaiting()),
    );
});

self.addEventListener('activate', (event) => {
    const dropOld = async () => {
        const names = await caches.keys();
        await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
        await self.clients.claim();
    };
    event.waitUntil(dropOld());
});

self.addEventListener('fetch', (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (request.method !== 'GET' || url.origin !== self.location.origin) return;
    if (request.mode === 'navigate' && !/^\/(api|health|docs)(\/|$)/.test(url.pathname))
        event.respondWith(page(request));
    // Names of assets carry a hash of their content: what is kept is never old.
    else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
    else if (SHELL.includes(url.pathname)) event.respondWith(freshOrKept(request));
});

/** The newest page, or the kept one when the server cannot be reached. */
async function page(request) {
    const kept = await caches.match(PAGE, { cacheName: CACHE, ignoreVary: true });
    try {
        return await fetch(request, kept ? { signal: AbortSignal.timeout(PATIENCE_MS) } : {});
    } catch (error) {
        if (kept) return kept;
        throw error;
    }
}

async function asset(request) {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(request, { ignoreVary: true });
    if (kept) return kept;
    const answer = await fetch(request);
    if (answer.ok) await cache.put(request, answer.clone());
    return answer;
}

async function freshOrKept(request) {
    try {
        return await fetch(request);
    } catch (error) {
        const kept = await caches.match(request, { cacheName: CACHE, ignoreVary: true });
        if (kept) return kept;
        throw error;
    }
}
