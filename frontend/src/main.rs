//! The page's entry point.

fn main() {
    console_error_panic_hook::set_once();
    frontend::theme::apply_stored();
    leptos::mount::mount_to_body(frontend::app::App);
}
