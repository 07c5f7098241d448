// Applies the stored colour scheme before anything is painted; see src/theme/theme.ts.
(function () {
    var choice = null;
    try {
        choice = localStorage.getItem('theme');
    } catch {
        // Storage is forbidden: the system's choice holds.
    }
    var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.classList.toggle('dark', dark);
})();
